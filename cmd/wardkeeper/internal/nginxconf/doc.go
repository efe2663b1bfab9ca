// Package nginxconf reads configuration files of nginx, with the files that they include, and writes them again. It knows the syntax and how
// settings are inherited, and the meaning of no directive. Start reading at [Load].
package nginxconf
