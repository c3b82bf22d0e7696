package main

// demoPolicy is what the three demo hosts should be. Its motd is switched on by the story's
// good commit.
const demoPolicy = `locals {
  motd_text = ""
}

group "demo" {
  match = try(host.labels.demo, "no") == "yes"
}

policy "demo" {
  title      = "What the demo hosts should be"
  applies_to = group.demo
  mode       = "enforce"

  resource "file" "motd" {
    path    = "/etc/motd"
    content = "${host.name}: ${local.motd_text}\n"
    mode    = "0644"
    when    = local.motd_text != ""
  }

  resource "directory" "app" {
    path = "/etc/app"
    mode = "0755"
  }

  resource "file" "app_conf" {
    path    = "/etc/app/app.conf"
    content = "workers = 4\n"
  }
}
`
