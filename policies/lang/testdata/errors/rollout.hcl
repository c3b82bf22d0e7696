group "canary" {
  match = host.name == "a"
}

rollout "empty" { # ERROR: Rollout without rings
  carries = "relases" # ERROR: Unknown word; Did you mean "releases"?
}

rollout "nothing" { # ERROR: Missing carries
  emergency { # WARNING: Not acted on yet; does not act on it yet
    match = advisory.exploited
    soak  = "2h"
  }
  ring "all" {
    group  = group.canary
    reboot = "as_needed" # WARNING: Not acted on yet
  }
}

rollout "r" {
  carries   = "releases"
  conffiles = "kep" # ERROR: Unknown word; Did you mean "keep"?
  failure_budget { # ERROR: Incomplete failure_budget
  }
  ring "canary" {
    group           = group.canry # ERROR: Unknown group; Did you mean "canary"?
    deferral        = "soon" # ERROR: Unusable duration
    max_unavailable = "0%" # ERROR: Unusable share
    gate {
      converged = "most" # ERROR: Unusable share
      soak      = 5 # ERROR: Constant wanted
    }
    gate { # ERROR: Duplicate block; one gate
    }
  }
  ring "canary" { # ERROR: Duplicate declaration
    group = group.canary
    gate {
      converged = 101 # ERROR: Number out of range
    }
  }
  ring "none" { # ERROR: Missing group
  }
  ring "mixed" {
    group  = group.canary && true # ERROR: Unusable group
    window = ["sat"] # ERROR: Unusable window
  }
}

rollout "r" { # ERROR: Duplicate declaration
  carries = "releases"
  ring "all" {
    group = group.canary
  }
}

rollout "second" { # ERROR: Two rollouts carry releases; "r" at rollout.hcl:20
  carries = "releases"
  ring "all" {
    group = group.canary
  }
}
