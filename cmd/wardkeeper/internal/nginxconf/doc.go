// Package nginxconf parses configuration files of nginx, with the files that they include, and writes them again. It knows the
// syntax, but the meaning of no directive except include. Start reading at [Load].
package nginxconf
