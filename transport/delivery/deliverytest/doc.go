// Package deliverytest is the suite that every delivery.Store must pass.
package deliverytest
