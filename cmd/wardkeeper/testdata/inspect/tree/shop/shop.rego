package shop

# METADATA
# title: Whether somebody may do something in the shop
# entrypoint: true
default decision := {"allow": false}

decision := {"allow": true} if data.shop.matrix[input.action.name][input.subject.properties.role] == "yes"
