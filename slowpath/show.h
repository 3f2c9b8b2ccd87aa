// slowpath/show.h: what the `show` commands print: as text for people, as JSON for scripts. Each
// pair stands in one file, show_*.cc. JSON has snake_case keys, numbers as numbers, SPIs as hex
// text, times as seconds since 1970.
#pragma once

#include <string>

#include "slowpath/status_view.h"

namespace sekisho::slowpath {

std::string ShowPorts(const StatusView& view);
std::string ShowPortsJson(const StatusView& view);
std::string ShowNeighbours(const StatusView& view);
std::string ShowNeighboursJson(const StatusView& view);
std::string ShowPools(const StatusView& view);
std::string ShowPoolsJson(const StatusView& view);
std::string ShowLeases(const StatusView& view);
std::string ShowLeasesJson(const StatusView& view);

std::string ShowIkeSas(const StatusView& view);
std::string ShowIkeSasJson(const StatusView& view);
std::string ShowChildSas(const StatusView& view);
std::string ShowChildSasJson(const StatusView& view);
std::string ShowSas(const StatusView& view);  // IKE SAs in full with their Child SAs; manual SAs
std::string ShowSasJson(const StatusView& view);

std::string ShowPolicies(const StatusView& view);
std::string ShowPoliciesJson(const StatusView& view);
std::string ShowDrops(const StatusView& view, bool all);  // all: those that are zero too
std::string ShowDropsJson(const StatusView& view, bool all);
std::string ShowDropsInDetail(const StatusView& view);  // by worker and port
std::string ShowDropsInDetailJson(const StatusView& view);
std::string ShowWorkers(const StatusView& view);
std::string ShowWorkersJson(const StatusView& view);
std::string ShowAccounting(const StatusView& view);
std::string ShowAccountingJson(const StatusView& view);
std::string ShowIkeCounters(const StatusView& view);
std::string ShowIkeCountersJson(const StatusView& view);
std::string ShowLogLevel(const StatusView& view);
std::string ShowLogLevelJson(const StatusView& view);

}  // namespace sekisho::slowpath
