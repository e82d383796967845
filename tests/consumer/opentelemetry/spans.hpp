#pragma once

#include <opentelemetry/trace/provider.h>
#include <opentelemetry/trace/scope.h>
#include <statehouse/error.hpp>
#include <statehouse/observer.hpp>

#include <memory>
#include <string>

namespace traced {

namespace trace = opentelemetry::trace;

using Span = opentelemetry::nostd::shared_ptr<trace::Span>;

inline opentelemetry::nostd::shared_ptr<trace::Tracer> tracer() {
  return trace::Provider::GetTracerProvider()->GetTracer("statehouse");
}

/// A span for each operation, below the one that is current where it is called, as
/// https://opentelemetry.io/docs/specs/semconv/database/database-spans/ has it.
class Spans final : public statehouse::Observer {
 public:
  void started(statehouse::OperationInfo& operation) noexcept override {
    trace::StartSpanOptions options;
    options.kind = trace::SpanKind::kClient;
    const std::string summary = statehouse::query_summary(operation.sql);
    const Span span = tracer()->StartSpan(summary.empty() ? to_string(operation.verb) : summary, options);
    if (!summary.empty()) span->SetAttribute("db.query.summary", summary);
    operation.data = new Span(span);
  }

  void finished(const statehouse::OperationInfo& operation,
                const statehouse::OperationOutcome& outcome) noexcept override {
    const std::unique_ptr<Span> owner(static_cast<Span*>(operation.data));
    trace::Span& span = **owner;
    span.SetAttribute("db.system.name", "sqlite");
    span.SetAttribute("db.namespace", text(operation.database));
    if (!operation.sql.empty()) span.SetAttribute("db.query.text", text(operation.sql));
    if (outcome.batch_size > 1) {
      span.SetAttribute("db.operation.name", "BATCH");
      span.SetAttribute("db.operation.batch.size", static_cast<std::int64_t>(outcome.batch_size));
    }
    span.SetAttribute("code.file.path", operation.where.file_name());
    span.SetAttribute("code.line.number", static_cast<std::int64_t>(operation.where.line()));
    span.SetAttribute("statehouse.wait_seconds", std::chrono::duration<double>(outcome.waited).count());
    if (!outcome.error.empty()) {
      span.SetStatus(trace::StatusCode::kError);
      span.SetAttribute("error.type", text(outcome.error));
      if (outcome.code.category() == statehouse::sqlite_category())
        span.SetAttribute("db.response.status_code", std::to_string(outcome.code.value()));
    }
    span.End();
  }

 private:
  static opentelemetry::nostd::string_view text(std::string_view value) noexcept {
    return {value.data(), value.size()};
  }
};

}  // namespace traced
