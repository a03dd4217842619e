// Package graphtest is a fake of Microsoft Graph for tests: users, groups, members, managers, $batch, delta and the token
// endpoint, over https, as Microsoft documents them for v1.0. It can throttle, fail, lose answers after the work is done,
// lag behind its own writes, repeat itself in a delta and forget delta tokens, as the real one does.
//
// It is strict where Graph is: unknown properties, wrong types, a second account of the same name, a member twice.
// Microsoft's own JavaScript client is satisfied with it, see the test of this package.
package graphtest
