#include "http_message.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace statehouse::server {

HttpResponse error_response(unsigned status, std::string_view code, std::string_view message) {
  const boost::json::object error{{"code", code}, {"message", message}};
  return {status, boost::json::serialize(boost::json::object{{"error", error}})};
}

}  // namespace statehouse::server
