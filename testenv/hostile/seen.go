package hostile

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Intruders is a script that looks in the browser's own tree for what a page of ours never has: scripts, handlers,
// frames, and links that run something or lead elsewhere. It stirs the page first, so that what waits for
// an event gets it.
const Intruders = `(() => {
	for (const e of document.querySelectorAll("*"))
		for (const kind of ["mouseover", "pointerenter", "focus", "toggle", "load", "error", "animationstart"]) e.dispatchEvent(new Event(kind));
	const found = [];
	for (const e of document.querySelectorAll("script, iframe, frame, object, embed, base, style, img, video, marquee, template, noscript, math, foreignObject, animate, use:not([href^='#m-'])"))
		found.push("<" + e.tagName + "> " + e.outerHTML.slice(0, 200));
	for (const e of document.querySelectorAll("*"))
		for (const a of e.attributes) {
			if (/^on|^style$|^srcdoc$|^ping$/i.test(a.name)) found.push(a.name + " in " + e.outerHTML.slice(0, 200));
			if (/^(href|src|action|formaction|data|xlink:href)$/i.test(a.name)) {
				const to = new URL(a.value, location);
				if (to.origin !== location.origin && !(e.tagName === "LINK" || to.protocol === "data:" && e.tagName === "LINK")) found.push(a.name + " leads to " + a.value);
			}
		}
	if (document.querySelectorAll("meta[http-equiv]").length > 1) found.push("several refreshes");
	if (document.title === "` + Canary + `") found.push("the title is " + document.title);
	return found;
})()`

// Steers tells what in a text of several lines would steer a terminal, stand in another order than it
// was written, or begin a line as if it were ours; nothing when it is harmless.
func Steers(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	at := strings.IndexFunc(text, steering)
	if at < 0 {
		at = strings.Index("\n"+text, "\n"+Forged)
	}
	switch {
	case at >= 0:
		return fmt.Sprintf("%q", text[max(0, at-60):min(len(text), at+60)])
	case !utf8.ValidString(text):
		return "no UTF-8"
	}
	return ""
}

func steering(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// Refused tells whether a text has what no host may write into an object: a control character, or no UTF-8.
func Refused(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\n\r", r) })
}

// Quoted is the text in JSON, with its bytes as they are.
func Quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\x00", `\u0000`, "\x08", `\b`, "\x1b", `\u001b`).Replace(text) + `"`
}
