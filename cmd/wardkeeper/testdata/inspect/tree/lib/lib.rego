package lib

one := 1
