// Package identity says who is asking, for whom, and who the people of an organisation are.
//
// A [Principal] comes from the authenticator (foundation/web) and is an explicit parameter of every domain method.
// A [Directory] answers questions about people; package staff implements it, and so may an embedder with a directory
// of their own.
package identity
