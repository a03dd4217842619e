// Package ackflowtest proves an ackflow.Store ([Run]) and gives tests of whatever uses package ackflow its surroundings:
// [Company], a directory, and [Targets], which stand for the rows that requests are linked with.
package ackflowtest
