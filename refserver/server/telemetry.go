package server

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// flush is how long a stopping server tries to send the last traces.
const flush = 5 * time.Second

// watching is what the server tells about itself: metrics at /metrics, and traces if an endpoint is set.
type watching struct {
	registry *prometheus.Registry // this server's own, so that two servers in one process do not collide
	meter    metric.MeterProvider
	tracer   trace.TracerProvider // nil: off
	close    []func(context.Context) error
}

// watch makes the providers. The endpoint is a setting of the server; the rest of OTEL_* (headers, service name, resource
// attributes, sampler, batches) is read by OpenTelemetry itself.
func watch(ctx context.Context, endpoint string) (w watching, err error) {
	w.registry = prometheus.NewRegistry()
	w.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	reader, err := exporter.New(exporter.WithRegisterer(w.registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return w, err
	}
	meter := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	w.meter, w.close = meter, append(w.close, meter.Shutdown)
	if endpoint == "" {
		return w, nil
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "renkei"), attribute.String("service.version", Version),
	), resource.WithFromEnv())
	if err != nil {
		return w, err
	}
	to, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return w, err
	}
	tracer := sdktrace.NewTracerProvider(sdktrace.WithBatcher(to), sdktrace.WithResource(about))
	w.tracer, w.close = tracer, append(w.close, tracer.Shutdown)
	return w, nil
}

// shutdown sends what has not been sent. An unreachable collector is no reason to fail.
func (w watching) shutdown(ctx context.Context, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flush)
	defer cancel()
	for _, f := range w.close {
		if err := f(ctx); err != nil {
			log.Warn("the last traces could not be sent", "error", err)
		}
	}
}
