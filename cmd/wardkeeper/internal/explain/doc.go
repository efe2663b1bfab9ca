// Package explain formats explanations of decisions for people, in the voice of the administrator who asks or in that of the
// author of the policy. Start reading at [Text].
package explain
