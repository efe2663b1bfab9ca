// Package config reads the settings of `wardkeeper serve`: the YAML file over the defaults, environment variables over the
// file, flags over variables. [Load] decodes them strictly and [Settings.Validate] checks what they say; each reports every
// fault it finds. Files, addresses and credentials that a setting names are not opened here: package main does that. Start
// with [Settings], whose field comments are the reference; wardkeeper.example.yaml is the same for operators.
package config
