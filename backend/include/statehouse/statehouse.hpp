#pragma once

/// Everything: `#include <statehouse/statehouse.hpp>`.
#include "statehouse/app_state.hpp"
#include "statehouse/backup.hpp"
#include "statehouse/check.hpp"
#include "statehouse/clock.hpp"
#include "statehouse/connection.hpp"
#include "statehouse/database_name.hpp"
#include "statehouse/db_instances.hpp"
#include "statehouse/error.hpp"
#include "statehouse/metrics.hpp"
#include "statehouse/migration_folder.hpp"
#include "statehouse/migrator.hpp"
#include "statehouse/operation_verb.hpp"
#include "statehouse/pool.hpp"
#include "statehouse/signals.hpp"
#include "statehouse/sqlite_version.hpp"
#include "statehouse/verbs.hpp"
