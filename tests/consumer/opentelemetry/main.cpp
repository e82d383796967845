// Two requests at a time, and what an exporter is given of them: a span for each, and below it one for each statement.

#include <opentelemetry/exporters/memory/in_memory_span_exporter.h>
#include <opentelemetry/sdk/trace/simple_processor.h>
#include <opentelemetry/sdk/trace/tracer_provider.h>
#include <opentelemetry/trace/context.h>
#include <statehouse/statehouse.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <iostream>
#include <map>

#include "context_executor.hpp"
#include "spans.hpp"

namespace {

namespace asio = boost::asio;
namespace sdk = opentelemetry::sdk::trace;
using opentelemetry::exporter::memory::InMemorySpanExporter;

asio::awaitable<void> request(statehouse::Pool pool, int id) {
  co_await pool.execute("INSERT INTO notes VALUES (?)", id);
  co_await pool.query_all<int>("SELECT id FROM notes WHERE id = ?", id);
}

/// A request's span, current in all that it does, ended with it.
void serve(asio::io_context& io, const statehouse::Pool& pool, int id) {
  const traced::Span span = traced::tracer()->StartSpan("GET /notes");
  auto context = opentelemetry::context::RuntimeContext::GetCurrent();
  const traced::ContextExecutor executor(asio::any_io_executor(io.get_executor()),
                                         opentelemetry::trace::SetSpan(context, span));
  asio::co_spawn(executor, request(pool, id), [span](std::exception_ptr) { span->End(); });
}

asio::awaitable<statehouse::Pool> open(statehouse::AppState& state) {
  co_await state.init();
  auto pool = co_await state.db_instances.get_pool("notes");
  co_await pool.execute("CREATE TABLE notes(id)");
  co_return pool;
}

/// Prints them, and says how many statements are below a request.
int below_requests(const std::vector<std::unique_ptr<sdk::SpanData>>& spans) {
  std::map<std::string, std::string> requests;
  const auto hex = [](const auto& id) { return std::string(reinterpret_cast<const char*>(id.Id().data()), 8); };
  for (const auto& span : spans)
    if (span->GetName() == "GET /notes") requests[hex(span->GetSpanId())] = "";
  int below = 0;
  for (const auto& span : spans) {
    const bool is_below =
        requests.contains(hex(span->GetParentSpanId())) && span->GetAttributes().contains("db.query.summary");
    std::cout << (is_below ? "  " : "") << span->GetName() << '\n';
    below += is_below ? 1 : 0;
  }
  return below;
}

}  // namespace

int main() {
  auto exporter = std::make_unique<InMemorySpanExporter>();
  const auto data = exporter->GetData();
  const std::shared_ptr<opentelemetry::trace::TracerProvider> provider =
      std::make_shared<sdk::TracerProvider>(std::make_unique<sdk::SimpleSpanProcessor>(std::move(exporter)));
  opentelemetry::trace::Provider::SetTracerProvider(
      opentelemetry::nostd::shared_ptr<opentelemetry::trace::TracerProvider>(provider));

  const auto directory = std::filesystem::temp_directory_path() / "statehouse-traced";
  std::filesystem::remove_all(directory);
  asio::io_context io;
  statehouse::AppState state(io.get_executor(), {.data_dir = directory, .observer = std::make_shared<traced::Spans>()});
  asio::co_spawn(io, open(state), [&](std::exception_ptr, const statehouse::Pool& pool) {
    serve(io, pool, 1);
    serve(io, pool, 2);
  });
  io.run();
  io.restart();
  asio::co_spawn(io, state.shutdown(), [](std::exception_ptr, const statehouse::ShutdownReport&) {});
  io.run();
  return below_requests(data->GetSpans()) == 4 ? 0 : 1;
}
