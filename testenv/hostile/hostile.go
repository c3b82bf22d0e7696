// Package hostile makes up texts that a host, an author or a visitor may write in order to make a
// page, a terminal, a log, a table or a database do something.
//
// A text is drawn from a grammar by a seed, so that the same seed gives the same texts. What runs
// as a script leaves [Canary] behind, what begins a line of its own begins it with [Forged].
package hostile

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

const (
	// Canary is the title that a page has once a script of ours ran in it, the word that it writes
	// to the console, and the path that it asks for.
	Canary = "canary-sang"
	// Forged begins the lines that nobody but us wrote.
	Forged = "forged-line"
)

// Texts returns n different texts.
func Texts(seed uint64, n int) []string {
	g := grammar{rand.New(rand.NewPCG(seed, 12))}
	kinds := g.kinds()
	seen := map[string]bool{}
	list := make([]string, 0, n)
	for i := 0; len(list) < n; i++ {
		text := kinds[i%len(kinds)]()
		if g.IntN(4) == 0 {
			text += kinds[g.IntN(len(kinds))]()
		}
		if seen[text] {
			text += fmt.Sprint(" ", i)
		}
		seen[text] = true
		list = append(list, text)
	}
	return list
}

// grammar draws one text at a time.
type grammar struct{ *rand.Rand }

func (g grammar) kinds() []func() string {
	return []func() string{g.element, g.handler, g.attribute, g.url, g.drawing, g.comment, g.encoded, g.template, g.formula,
		g.escape, g.control, g.bidi, g.newline, g.broken, g.query, g.format, g.path, g.style}
}

func (g grammar) of(words ...string) string { return words[g.IntN(len(words))] }

// mixed writes a word with some letters in capitals.
func (g grammar) mixed(word string) string {
	if g.IntN(3) > 0 {
		return word
	}
	return strings.Map(func(r rune) rune {
		if g.IntN(2) == 0 && r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}, word)
}

// script is what would show that it ran.
func (g grammar) script() string {
	return g.of("document.title='"+Canary+"'", "console.log('"+Canary+"')", "fetch('/"+Canary+"')", "top['document']['title']='"+Canary+"'",
		"console.log(`"+Canary+"`)", "(()=>{document.title='"+Canary+"'})()", "setTimeout(()=>console.log('"+Canary+"'))", "new Image().src='/"+Canary+"'")
}

// out ends whatever the text may stand in.
func (g grammar) out() string {
	var all strings.Builder
	for range g.IntN(4) {
		all.WriteString(g.of(`"`, `'`, `>`, `">`, `'>`, "-->", "</title>", "</textarea>", "</style>", "</script>", "</select>", "</pre>", "</td></table>", "</svg>", "</main>", "]]>", "`", "*/"))
	}
	return all.String()
}

// gap is what stands between two attributes.
func (g grammar) gap() string { return g.of(" ", "/", "\n", "\t", " / ", "\r\n") }

func (g grammar) quoted(text string) string {
	return g.of(`"`+strings.ReplaceAll(text, `"`, "'")+`"`, `"`+strings.ReplaceAll(text, `"`, "&quot;")+`"`, strings.ReplaceAll(text, " ", ""))
}

func (g grammar) element() string {
	tag := g.mixed("script")
	return g.out() + g.of("<"+tag+">"+g.script()+"</"+tag+">", "<"+tag+g.gap()+"x>"+g.script()+"//", "<"+tag+g.gap()+"src=data:text/javascript,"+g.script()+"></"+tag+">",
		"<"+tag+g.gap()+"src=/"+Canary+"></"+tag+">", "<<"+tag+">"+g.script()+"</"+tag+">")
}

func (g grammar) handler() string {
	return g.out() + g.of(
		"<"+g.mixed("img")+g.gap()+"src=x"+g.gap()+g.mixed("onerror")+"="+g.quoted(g.script())+">",
		"<"+g.mixed("body")+g.gap()+"onload="+g.quoted(g.script())+">",
		"<input"+g.gap()+"autofocus"+g.gap()+g.mixed("onfocus")+"="+g.quoted(g.script())+">",
		"<details"+g.gap()+"open"+g.gap()+"ontoggle="+g.quoted(g.script())+">",
		"<video><source"+g.gap()+"onerror="+g.quoted(g.script())+">",
		"<marquee"+g.gap()+"onstart="+g.quoted(g.script())+">",
		"<div"+g.gap()+"style=animation-name:x"+g.gap()+"onanimationstart="+g.quoted(g.script())+">",
		"<iframe"+g.gap()+"srcdoc="+g.quoted("<script>top."+g.script()+"</script>")+">",
		"<object"+g.gap()+"data=data:text/html,"+g.script()+">")
}

// attribute breaks out of an attribute and stays in its element.
func (g grammar) attribute() string {
	return g.of(`"`, `'`, "") + g.gap() + g.mixed(g.of("onmouseover", "onfocus", "onclick", "onpointerenter", "oncontentvisibilityautostatechange")) + "=" + g.quoted(g.script()) + g.gap() +
		g.of("autofocus", "tabindex=1", `x="`, "x='", "style=display:block")
}

func (g grammar) url() string {
	return g.of(g.mixed("javascript")+":"+g.script(), "java\tscript:"+g.script(), " javascript:"+g.script(), "javascript&colon;"+g.script(), "data:text/html,<script>"+g.script()+"</script>",
		"vbscript:"+g.script(), "//evil.example/"+Canary, `\\evil.example\`+Canary, "/\\evil.example", "https:evil.example", "view-source:javascript:"+g.script(), "blob:x", "file:///etc/passwd", "?x=<b>#<i>")
}

func (g grammar) drawing() string {
	return g.out() + g.of("<svg"+g.gap()+"onload="+g.quoted(g.script())+">", "<svg><script>"+g.script()+"</script></svg>", "<svg><animate"+g.gap()+"onbegin="+g.quoted(g.script())+g.gap()+"attributeName=x dur=1s>",
		"<svg><a xlink:href=\"javascript:"+g.script()+"\"><text y=9>x</text></a></svg>", "<math><mtext><table><mglyph><style><img src=x onerror="+g.quoted(g.script())+">",
		"<svg><foreignObject><body onload="+g.quoted(g.script())+"></svg>", "<svg><use href=\"data:image/svg+xml,<svg/>#x\">")
}

func (g grammar) comment() string {
	return g.of("<!--", "--><script>"+g.script()+"</script><!--", "<!--><img src=x onerror="+g.script()+">", "<![CDATA[<script>"+g.script()+"</script>]]>", "<?x ?><script>"+g.script()+"</script>",
		"<noscript><p title=\"</noscript><img src=x onerror="+g.script()+">\">", "<template><script>"+g.script()+"</script>", "<title><script>"+g.script()+"</script>")
}

// encoded is the same in characters that somebody may decode once too often.
func (g grammar) encoded() string {
	text := "<script>" + g.script() + "</script>"
	switch g.IntN(6) {
	case 0:
		return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(text)
	case 1:
		return strings.NewReplacer("<", "%3C", ">", "%3E", "'", "%27").Replace(text)
	case 2:
		return strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(text)
	case 3:
		return strings.NewReplacer("<", `\x3c`, ">", `\x3e`).Replace(text)
	case 4:
		return strings.NewReplacer("<", "&#60", ">", "&#x3e;").Replace(text)
	}
	return strings.NewReplacer("<", "\uff1c", ">", "\uff1e").Replace(text) // full width
}

func (g grammar) template() string {
	a, b := 100+g.IntN(900), 100+g.IntN(900)
	return g.of(fmt.Sprintf("{{%d*%d}}", a, b), "{{.}}", "{{.Secret}}", "{{template \"layout\" .}}", "{{printf \"%s\" .}}", fmt.Sprintf("${%d*%d}", a, b), "${var.secret}", "%{ if true }x%{ endif }", "#{7*7}", "<%= 7*7 %>",
		"{{constructor.constructor('"+g.script()+"')()}}", "$(id)", "`id`", "@{7*7}", "[[7*7]]", "{% debug %}", "{{`{{`}}", "{{/*")
}

// formula is what a table of cells would work out.
func (g grammar) formula() string {
	return g.of("=", "+", "-", "@", "\t=", "\r=", "＝", "|", "%0A=") + g.of("cmd|'/C calc'!A0", "HYPERLINK(\"https://evil.example\",\"x\")", "1+1", "SUM(A1:A9)", "IMPORTXML(\"https://evil.example\",\"//a\")", "DDE(\"cmd\";\"/C calc\";\"x\")") +
		g.of("", ",x", "\"", ";", "\",\"=1+1")
}

// escape steers a terminal.
func (g grammar) escape() string {
	csi := g.of("\x1b[", "\u009b")
	return g.of("\x1b]0;"+Canary+"\x07", "\x1b]8;;https://evil.example\x1b\\x\x1b]8;;\x1b\\", "\x1b]52;c;Y2FuYXJ5\x07", "\x1bP$q\x1b\\", "\x1bc", "\u009d0;"+Canary+"\u009c",
		csi+fmt.Sprint(g.IntN(9))+"A", csi+"2J", csi+"31m", csi+"6n", csi+"?1049h", csi+"2K\r") + g.of("", "ok", Forged)
}

func (g grammar) control() string {
	return "a" + g.of("\x00", "\x01", "\x07", "\x08", "\x0b", "\x0c", "\x0e", "\x1a", "\x7f", "\u0080", "\u0085", "\u0090", "\u009f") + g.of("\x00", "\x08\x08\x08", "\u0085", "\u0090") + "b"
}

func (g grammar) bidi() string {
	return g.of("\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u061c", "\u200f", "\u200e") + g.of("gnp.exe", "/* } if admin { */", "moc.elpmaxe", "0001") + g.of("", "\u202c", "\u2069", "\u2028", "\u2029", "\ufeff", "\u200b", "\u2060")
}

// newline begins a line of its own.
func (g grammar) newline() string {
	return "a" + g.of("\n", "\r\n", "\r", "\n\n", "\v\n", "\u2028", "\u2029", "\u0085", "%0d%0a", `\n`) +
		Forged + g.of(": error: all is well", " level=ERROR msg=forged", "{\"level\":\"error\"}", "\r\nSet-Cookie: a=b", " HELP plumb_x forged\nplumb_x 1", "\r\nEND:VEVENT\r\nBEGIN:VEVENT", "<134>1 2026-11-21T12:00:00Z x y - - - -", "|Plumb|Plumb|1|")
}

// broken is no UTF-8, or was not meant to be.
func (g grammar) broken() string {
	return g.of("\xff", "\xc0\xbc", "\xe0\x80\xbc", "\xf0\x80\x80\xbc", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", "\xf4\x90\x80\x80", "\xc3", "\xe2\x82", "+ADw-", "\ufffe", "\U0010ffff") + g.of("script", "x", "\xbe", "\x80", "img src=x onerror="+g.script())
}

func (g grammar) query() string {
	return g.of("'", `"`, "`", "')", "\\'", "") + g.of("; DROP TABLE hosts;--", " OR 1=1--", " UNION SELECT hash FROM sessions--", "; ATTACH DATABASE '/tmp/x' AS x;--", "$1", "$$;SELECT pg_sleep(9);$$", " OR ''='", "%' --", "_%", "||(SELECT 1)||", "\\", "; COPY x TO PROGRAM 'id';--")
}

func (g grammar) format() string {
	return g.of("%s", "%n", "%d%d", "%!s(MISSING)", "%[1]v", "%v", "{}", "{0}", "%99999999d", "$HOME", "!!", "\\", "\\\\", "&amp;", "&", ";,\\n:", "NaN", "1e999", "null", "undefined", "__proto__", "-0", "%x%x%x") + fmt.Sprint(g.IntN(10_000))
}

func (g grammar) path() string {
	return g.of("../", "..\\", "/", "%2e%2e%2f", "....//", "~/", "file://", "-", "--", "\u2215") + g.of("etc/passwd", "static/style.css", "hosts?q=<b>", "%00", ".git/config", "C:\\con", "?#&=;") + fmt.Sprint(g.IntN(1000))
}

func (g grammar) style() string {
	return g.out() + g.of("<style>*{background:url(/"+Canary+")}</style>", "<link rel=stylesheet href=/"+Canary+">", "expression("+g.script()+")", "<base href=//evil.example/>", "<meta http-equiv=refresh content=\"0;url=/"+Canary+"\">",
		"<form action=/"+Canary+"><button autofocus>", "<a href=/"+Canary+" ping=/"+Canary+">x</a>", "<img src=/"+Canary+">", "<embed src=/"+Canary+">", "x;}</style><script>"+g.script()+"</script>")
}
