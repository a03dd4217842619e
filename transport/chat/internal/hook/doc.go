// Package hook posts JSON to the secret URLs that chat tools give out, and says in the words of package chat what came
// of it. It is what the senders of package chat share.
package hook
