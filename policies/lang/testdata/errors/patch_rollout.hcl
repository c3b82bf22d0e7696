group "all" {
  match = true
}

window "configs" {
  cron     = "0 22 * * *"
  duration = "2h"
  classes  = ["config"]
}

window "packages" {
  cron     = "0 22 * * *"
  duration = "2h"
  classes  = ["package"]
}

patch_baseline "security" {
  source {
    label = "Debian-Security"
  }
}

rollout "words" {
  carries    = patch_baseline.security
  conffiles  = "old"       # ERROR: Unknown word; keep, new, hold
  superseded = "newst"     # ERROR: Unknown word; Did you mean "newest"?
  rollback   = "downgrad"  # ERROR: Unknown word; Did you mean "downgrade"?
  kernels    = -1          # ERROR: Number out of range
  title      = host.name   # ERROR: Constant wanted
  preflight {
    min_free = {
      "/"      = "1 GB" # ERROR: Unusable size; such as "1GiB"
      "/boot"  = 200    # ERROR: Constant wanted
      "/var"   = "99999999TiB" # ERROR: Unusable size
      "boot"   = "1GiB" # ERROR: Unusable path; from the root on
      "/home/" = "1GiB" # ERROR: Unusable path
    }
  }
  preflight { # ERROR: Duplicate block; one preflight block
  }
  hooks {
    before  = "/usr/local/sbin/before" # ERROR: Unusable command; in quotes
    after   = []                       # ERROR: Unusable command
    undrain = ["put-back", host.name]  # ERROR: Constant wanted
    restor  = ["x"]                    # ERROR: Unsupported argument; Did you mean "restore"?
  }
  cluster { # ERROR: Incomplete cluster; label = "cluster"
    max_unavailable = 0 # ERROR: Number out of range
  }
  emergency { # ERROR: Missing match; cannot wait
    soak = "long" # ERROR: Unusable duration
  }
  ring "all" {
    group  = group.all
    window = [window.configs] # ERROR: Window for other changes; of class package
    reboot = "sometimes"      # ERROR: Unknown word; services_only
    grace  = "2d"             # ERROR: Grace without a deadline; Add deadline
  }
  ring "second" {
    group  = group.all
    window = [window.packages] # WARNING: Window for other changes; of class reboot
  }
}

rollout "probes" {
  carries  = patch_baseline.security
  rollback = "snapshot" # ERROR: Rollback without a snapshot; hooks { snapshot
  probe "none" { # ERROR: Probe without one question; A probe asks one thing
  }
  probe "two" { # ERROR: Probe without one question
    unit = "nginx.service"
    tcp  = "127.0.0.1:80"
  }
  probe "two" { # ERROR: Duplicate declaration
    tcp = "[::1]:80"
  }
  probe "far" {
    http   = "http://example.org/health" # ERROR: Unusable probe; on another host
    within = "2h"                        # ERROR: Unusable duration; an hour at most
  }
  probe "wide" {
    tcp = "0.0.0.0:80" # ERROR: Unusable probe; on another host
  }
  probe "port" {
    tcp = "localhost" # ERROR: Unusable probe; no address with a port
  }
  probe "big" {
    tcp = "localhost:70000" # ERROR: Unusable probe
  }
  probe "scheme" {
    http = "ftp://localhost/" # ERROR: Unusable probe; web page
  }
  probe "secret" {
    http = "http://me:pw@localhost/" # ERROR: Unusable probe; password
  }
  probe "short" {
    unit = "nginx" # ERROR: Unusable probe; with its ending
  }
  probe "shell" {
    command = "curl localhost" # ERROR: Unusable command; No shell reads it
  }
  hooks {
    drain   = ["drain"]   # ERROR: Incomplete hooks; undrain
    discard = ["discard"] # ERROR: Incomplete hooks; nothing to discard
  }
  cluster {
    label = "no label" # ERROR: Unusable label
  }
  ring "all" {
    group = group.all
  }
}

rollout "lanes" {
  carries = patch_baseline.security
  emergency {
    match = advisory.severty == "critical" # ERROR: Unsupported attribute; Did you mean "severity"?
  }
  ring "all" {
    group = group.all
  }
}

rollout "hosts" {
  carries = patch_baseline.security
  emergency {
    match = advisory.exploited && fact.os.id == "debian" # ERROR: Name not available here; for an advisory
  }
  ring "all" {
    group = group.all
  }
}

rollout "number" {
  carries = patch_baseline.security
  emergency {
    match = length(advisory.cves) # ERROR: Wrong type of value; true or false
  }
  ring "all" {
    group = group.all
  }
}

policy "p" {
  resource "patch" "x" { # ERROR: Kind of a rollout; carries = patch_baseline.NAME
  }
  check "patch" "y" { # ERROR: Kind of a rollout
  }
  resource "file" "f" {
    path       = "/f"
    depends_on = [rollout.lanes] # ERROR: Unknown resource; hooks of the rollout
  }
}
