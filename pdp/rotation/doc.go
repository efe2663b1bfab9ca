// Package rotation lets operators replace credentials, keys and certificates while the process runs. Files are reread when
// they change ([Value], [TLS], [ServerTLS]), and connections have a bounded age ([Transport]), so that they use the current credentials
// and look names up again. It does not decide what the content of a file means. Start at [Value].
package rotation
