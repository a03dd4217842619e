// Package transporthttp shows an administrator the events that a handler has failed for good, and has them handled again
// when what was wrong has been put right.
//
//	GET  /failed-events?limit=&cursor=
//	POST /failed-events/{id}/replay
//
// What an event carries is not shown: it may hold what not even an administrator may read.
package transporthttp
