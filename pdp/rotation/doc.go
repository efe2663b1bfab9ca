// Package rotation lets operators replace credentials, keys and certificates while the process runs. What comes from a
// file is read again when the file changes ([Value], [TLS]), and connections have a bounded age ([Transport]), so that they
// use what is current and look names up again. It does not decide what the content of a file means. Start at [Value].
package rotation
