// Package config reads the settings of `wardkeeper serve`: the YAML file over the defaults, environment variables over the
// file, flags over variables. [Load] decodes them strictly and [Settings.Validate] checks their values; each reports every
// fault it finds. This package does not open the files, addresses and credentials that the settings name: package main does.
// Start with [Settings], whose field comments are the reference; wardkeeper.example.yaml is the same for operators.
package config
