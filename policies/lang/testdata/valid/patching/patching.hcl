policy "base" {
  resource "file" "motd" {
    path    = "/etc/motd"
    content = "Patched through rings.\n"
  }
}

group "linux" {
  match = fact.os.kernel == "linux"
}

patch_baseline "security" {
  title      = "Security updates of the distribution"
  applies_to = group.linux
  source {
    origin   = "Debian"
    label    = "Debian-Security"
    codename = "${fact.os.codename}-security"
  }
  approve {
    classification = ["security"]
    severity       = ["critical", "high"]
    after          = "0d"
    compliance     = "critical"
  }
  approve {
    classification = ["security", "kernel"]
    after          = "2d"
  }
  approve {
    packages   = ["tzdata"]
    seen_until = "2026-11-30T00:00:00+01:00"
  }
  reject {
    packages = ["postgresql-15", "openssl=3.0.22-*"]
    action   = "block"
    reason   = "The database team patches by hand."
    expires  = "2027-01-31T00:00:00Z"
  }
  approved_packages   = ["ca-certificates"]
  approved_compliance = "low"
}

patch_baseline "elsewhere" {
  applies_to = !group.linux
  source {
    codename = fact.custom.never
  }
}

patch_sla "standard" {
  applies_to = group.linux
  anchor     = "published"
  within     = { critical = "7d", high = "14d", medium = "30d" }
  exploited  = "3d"
}

window "nights" {
  cron     = "0 22 * * *"
  duration = "5h"
  classes  = ["package", "reboot"]
}

window "weekends" {
  cron     = "0 6 * * 6"
  duration = "40h"
}

group "canary" {
  match = group.linux && host.labels.role == "canary"
}

group "broad" {
  match   = group.linux
  exclude = group.canary
}

rollout "patches" {
  title      = "Security updates"
  carries    = patch_baseline.security
  conffiles  = "new"
  superseded = "newest"
  rollback   = "snapshot"
  kernels    = 1
  preflight {
    min_free = { "/" = "1GiB", "/boot" = "200MiB" }
  }
  hooks {
    before   = ["/usr/local/sbin/before"]
    drain    = ["/usr/local/sbin/drain", "--wait"]
    undrain  = ["/usr/local/sbin/undrain"]
    after    = ["/usr/local/sbin/after"]
    snapshot = ["/usr/local/sbin/snapshot", "make"]
    restore  = ["/usr/local/sbin/snapshot", "restore"]
    discard  = ["/usr/local/sbin/snapshot", "discard"]
  }
  probe "web" {
    http   = "http://localhost:8080/health"
    within = "2m"
  }
  probe "db" {
    tcp = "[::1]:5432"
  }
  probe "unit" {
    unit = "nginx.service"
  }
  probe "smoke" {
    command = ["/usr/local/sbin/smoke", "--quick"]
  }
  cluster {
    label           = "cluster"
    max_unavailable = 2
  }
  failure_budget {
    count = 3
  }
  ring "canary" {
    group = group.canary
    gate {
      soak  = "24h"
      query = "sum(rate(http_errors_total[5m])) < bool 1"
    }
  }
  ring "broad" {
    group    = group.broad
    window   = [window.weekends, window.nights]
    reboot   = "services_only"
    deferral = "7d"
    deadline = "14d"
    grace    = "2d"
  }
  emergency {
    match = advisory.severity == "critical" && (advisory.exploited || anytrue([for c in advisory.cves : startswith(c, "CVE-2026-")]))
    soak  = "2h"
  }
}

rollout "elsewhere" {
  carries = patch_baseline.elsewhere
  ring "all" {
    group = group.linux
  }
}

rollout "config" {
  carries = "releases"
  cluster {
    label = "cluster"
  }
  ring "all" {
    group  = group.linux
    window = [window.weekends]
    gate {
      query = "up == bool 1"
    }
  }
}
