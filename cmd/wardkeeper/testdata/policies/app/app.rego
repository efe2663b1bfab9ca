# METADATA
# title: A policy that is not about locations
package app

default decision := {"allow": false, "reasons": ["Only readers may."]}

decision := {"allow": true} if input.subject.properties.reader == true
