// Package notifytest is the suite that every notify.Store must pass.
package notifytest
