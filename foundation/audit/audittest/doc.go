// Package audittest is the suite that a store of audit entries must pass: [Run].
package audittest
