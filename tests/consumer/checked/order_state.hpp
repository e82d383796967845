#pragma once

namespace shop {
enum class order_state { open, paid, sent };
}
