// Package telemetry ties Renkei to OpenTelemetry's API: providers that may be nil, and a trace that goes on where no
// context reaches, because it waits in a row or travels in a message.
//
// A package with something to tell takes a trace.TracerProvider and a metric.MeterProvider in its Config. Nil is off: it
// records nothing and costs next to nothing. Which SDK stands behind a provider, and where it sends, is for the program
// to choose.
//
// What is kept of a trace is the text of the W3C header traceparent (https://www.w3.org/TR/trace-context/): the ids and
// whether it is sampled. Neither tracestate nor baggage is, since they may hold what must not leave the house.
package telemetry
