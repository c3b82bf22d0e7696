group "production" {
  match = host.labels.env == "production"
}

window "fine" {
  rrule    = "FREQ=WEEKLY;BYDAY=SA"
  start    = "22:00"
  duration = "5h"
  classes  = ["package", "reboot"]
}

window "fine" { # ERROR: Duplicate declaration; declared at windows.hcl:5
  cron     = "0 22 * * 6"
  duration = "5h"
}

window "endless" { # ERROR: Incomplete window; how long it is open
  cron = "0 22 * * 6"
}

window "no_rule" { # ERROR: Unusable window; either a cron or an rrule
  duration = "5h"
}

window "hourly" { # ERROR: Unusable window; more often than daily
  rrule    = "FREQ=HOURLY"
  start    = "22:00"
  duration = "5h"
}

window "no_start" { # ERROR: Unusable window; such as "22:00"
  rrule    = "FREQ=DAILY"
  duration = "5h"
}

window "two_hours" { # ERROR: Unusable window; holds the hour already
  cron     = "0 22 * * 6"
  start    = "22:00"
  duration = "5h"
}

window "never" { # ERROR: Unusable window; it never opens
  cron     = "0 22 30 2 *"
  duration = "5h"
}

window "no_anchor" { # ERROR: Unusable window; say in from when it begins
  rrule    = "FREQ=WEEKLY;INTERVAL=2;BYDAY=SA"
  start    = "22:00"
  duration = "5h"
}

window "all_cutoff" { # ERROR: Unusable window; shorter than the duration
  cron     = "0 22 * * 6"
  duration = "1h"
  cutoff   = "1h"
}

window "no_zone" { # ERROR: Unusable window; unknown time zone Europe/Berlni
  cron     = "0 22 * * 6"
  duration = "1h"
  timezone = "Europe/Berlni"
}

window "words" {
  crom     = "0 22 * * 6" # ERROR: Unsupported argument
  cron     = var.cron     # ERROR: Constant wanted
  duration = "5 hours"    # ERROR: Unusable duration
  offset   = "36h"        # ERROR: Unusable offset; whole days
  classes  = ["packages"] # ERROR: Unknown word; Did you mean "package"?
  from     = "2027-01-01" # ERROR: Unusable time; such as "2026-12-18T00:00:00+01:00"
}

freeze "forever" { # ERROR: Incomplete freeze; until when
  from = "2026-12-18T00:00:00+01:00"
}

freeze "backwards" { # ERROR: Unusable freeze; until is later than from
  from  = "2026-12-18T00:00:00+01:00"
  until = "2026-12-17T00:00:00+01:00"
}

freeze "words" {
  from   = "2026-12-18T00:00:00+01:00"
  until  = "2027-01-04T06:00:00+01:00"
  groups = [group.producton] # ERROR: Unknown group; Did you mean "production"?
  allow  = ["emergencies"]   # ERROR: Unknown word; Did you mean "emergency"?
}

freeze "nobody" {
  from   = "2026-12-18T00:00:00+01:00"
  until  = "2027-01-04T06:00:00+01:00"
  groups = [] # ERROR: Freeze of nothing
}

freeze "nobody" { # ERROR: Duplicate declaration
  from  = "2026-12-18T00:00:00+01:00"
  until = "2027-01-04T06:00:00+01:00"
}

policy "p" {
  resource "directory" "a" {
    path   = "/a"
    window = [window.fin] # ERROR: Unknown window; Did you mean "fine"?
  }
  resource "directory" "b" {
    path   = "/b"
    window = [window.fine] # ERROR: Window for other changes; Add "config" to its classes
  }
  resource "package" "c" {
    name   = "nginx"
    window = window.fine
  }
  check "command" "d" {
    command = ["true"]
    window  = [window.fine] # ERROR: Window of a check; never waits
  }
}
