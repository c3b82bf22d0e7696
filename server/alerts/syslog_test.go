package alerts

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestSyslogLines(t *testing.T) {
	var got strings.Builder
	for _, format := range []string{"rfc5424", "cef"} {
		for _, what := range []string{Opened, Closed, Test} {
			m := sample(what)
			m.Alert.Subject = "we]b\"1|\\a=b"
			fmt.Fprintln(&got, syslogLine(m, format, noon))
		}
	}
	golden(t, filepath.Join("testdata", "syslog.txt"), got.String())
}

// rfc5424 is the form of a message as the RFC has it, with one structured element.
var rfc5424 = regexp.MustCompile(`^<(\d{1,3})>1 \S+ [!-~]{1,255} plumb - [!-~]{1,32} \[plumb@32473((?: [a-z]+="(?:[^"\\\]\x00-\x1f\x7f]|\\["\\\]])*")*)\] [^\x00-\x1f\x7f]*$`)

// cefHead is the head of CEF: seven fields, in which a bar and a backslash are escaped.
var cefHead = regexp.MustCompile(`^<\d{1,3}>1 \S+ [!-~]{1,255} plumb - [!-~]{1,32} - CEF:0(?:\|(?:[^|\\]|\\[|\\])*){6}\|`)

// cefPair is one pair: an equals sign in a value is escaped.
var cefPair = regexp.MustCompile(`^(?:[A-Za-z0-9]+=(?:[^=\\]|\\[=\\])*(?: |$))+$`)

func FuzzSyslog(f *testing.F) {
	f.Add("web1", "2 critical", "plumb.example")
	f.Add("a\n<1>1 forged", "x\r\n\x00\u2028y", "bad host\n")
	f.Add(`"]\`, `a=b|c\`, "é")
	f.Add("\xff\xfe", "]\\", "")
	f.Fuzz(func(t *testing.T, subject, detail, server string) {
		m := sample(Opened)
		m.Alert.Subject, m.Alert.Detail, m.Server = subject, detail, server
		text := syslogLine(m, "rfc5424", noon)
		if !rfc5424.MatchString(text) {
			t.Errorf("not RFC 5424: %q", text)
		}
		text = syslogLine(m, "cef", noon)
		head := cefHead.FindString(text)
		if head == "" || !cefPair.MatchString(text[len(head):]) || strings.ContainsAny(text, "\r\n\x00") {
			t.Errorf("not CEF: %q", text)
		}
	})
}

func TestSyslogOverUDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b, s := silent(t, Config{Syslog: &Syslog{Address: conn.LocalAddr().String()}})
	b.must(s.deliver(t.Context(), s.sinks[0]))
	packet := make([]byte, 9000)
	b.must(conn.SetReadDeadline(time.Now().Add(5 * time.Second)))
	n, _, err := conn.ReadFrom(packet)
	b.must(err)
	if got := string(packet[:n]); !rfc5424.MatchString(got) || !strings.Contains(got, `subject="web1"`) {
		t.Errorf("got %q", got)
	}
}

// TestSyslogOverStreams sends two messages, each with its length before it.
func TestSyslogOverStreams(t *testing.T) {
	for _, over := range []string{"tcp", "tls"} {
		t.Run(over, func(t *testing.T) {
			ln, ca := listener(t, over == "tls")
			conf := Syslog{Address: ln.Addr().String(), Network: "tcp", Format: "cef", TLS: over == "tls", CA: ca}
			got := make(chan string, 2)
			go func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					got <- frame(conn)
					conn.Close()
				}
			}()
			s, err := newSpeaker(conf)
			if err != nil {
				t.Fatal(err)
			}
			for _, what := range []string{Opened, Closed} {
				if _, err := s.tell(t.Context(), sample(what), noon); err != nil {
					t.Fatal(err)
				}
				if text := <-got; !strings.HasPrefix(text, "<130>1 2026-11-21T12:00:00.000Z plumb.example plumb - host_noncompliant - CEF:0|") {
					t.Errorf("got %q", text)
				}
			}
			if over == "tls" {
				conf.CA = ""
				strict, err := newSpeaker(conf)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if _, err := strict.tell(ctx, sample(Opened), noon); err == nil {
					t.Error("a certificate that nobody trusts was taken")
				}
			}
		})
	}
}

func listener(t *testing.T, secure bool) (net.Listener, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	if !secure {
		return ln, ""
	}
	web := httptest.NewUnstartedServer(nil) // for its certificate
	web.StartTLS()
	t.Cleanup(web.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, Certificates: web.TLS.Certificates}), ca
}

// frame reads one message as RFC 6587 frames it, and nothing may follow.
func frame(conn net.Conn) string {
	r := bufio.NewReader(conn)
	length, err := r.ReadString(' ')
	if err != nil {
		return "no length: " + err.Error()
	}
	n, err := strconv.Atoi(strings.TrimSuffix(length, " "))
	if err != nil {
		return err.Error()
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return err.Error()
	}
	if rest, _ := io.ReadAll(r); len(rest) > 0 {
		return fmt.Sprintf("%q follows", rest)
	}
	return string(text)
}
