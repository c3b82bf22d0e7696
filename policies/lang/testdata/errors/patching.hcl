patch_baseline "empty" { # ERROR: Baseline without a source; match nothing
}

patch_baseline "debian" {
  source { # ERROR: Source that matches nothing; origin, label
  }
  source {
    orign = "Debian" # ERROR: Unsupported argument; Did you mean "origin"?
    suite = "stable-security" # WARNING: Suite that moves; Match the codename
  }
  source {
    codename = fact.os.codenme # ERROR: Unknown fact
  }
  approve {
    classification = ["securty"] # ERROR: Unknown word; Did you mean "security"?
    severity       = ["high", "urgent"] # ERROR: Unknown word; unknown
    after          = "2 days" # ERROR: Unusable duration
    compliance     = "hihg" # ERROR: Unknown word; Did you mean "high"?
  }
  approve {
    after      = "2d"
    seen_until = "2026-11-01T00:00:00Z" # ERROR: Both after and seen_until
  }
  approve {
    seen_until = "2026-11-01" # ERROR: Unusable time; with a zone
  }
  reject { # ERROR: Incomplete reject; reason
    packages = ["postgresql-*", "two words"] # ERROR: Unusable package pattern; two words
    action   = "blok" # ERROR: Unknown word; Did you mean "block"?
  }
  reject { # ERROR: Incomplete reject; packages
    reason  = "why"
    expires = "soon" # ERROR: Unusable time
  }
}

patch_baseline "debian" { # ERROR: Duplicate declaration
  source {
    origin = "Debian"
  }
}

patch_baseline "not a name" { # ERROR: Unusable name
  source {
    origin = ["Debian"] # ERROR: Wrong type of value
  }
  applies_to = group.nobody # ERROR: Unknown group
}

patch_sla "empty" { # ERROR: SLA without a time
}

patch_sla "standard" {
  anchor = "publised" # ERROR: Unknown word; Did you mean "published"?
  within = {
    critical = "7 days" # ERROR: Unusable duration
    urgent   = "1d" # ERROR: Unknown word; critical, high
  }
}

patch_sla "standard" { # ERROR: Duplicate declaration
  exploited = "3d"
}
