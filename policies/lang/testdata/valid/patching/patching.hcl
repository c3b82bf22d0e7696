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
