package prometheus

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Answers as Prometheus 2 and 3 give them.
const (
	vector  = `{"status":"success","data":{"resultType":"vector","result":[%s]}}`
	sample  = `{"metric":{"job":"web"},"value":[1732190000.123,"%s"]}`
	scalar  = `{"status":"success","data":{"resultType":"scalar","result":[1732190000.123,"%s"]}}`
	refused = `{"status":"error","errorType":"bad_data","error":"invalid parameter \"query\": 1:5: parse error: unexpected end of input"}`
)

func samples(values ...string) string {
	var list []string
	for _, v := range values {
		list = append(list, fmt.Sprintf(sample, v))
	}
	return fmt.Sprintf(vector, strings.Join(list, ","))
}

func TestRead(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		good bool
		err  string
	}{
		"one":            {samples("1"), true, ""},
		"some":           {samples("0.5", "-2", "+Inf"), true, ""},
		"one of them 0":  {samples("1", "0"), false, ""},
		"zero":           {samples("0"), false, ""},
		"minus zero":     {samples("-0"), false, ""},
		"not a number":   {samples("1", "NaN"), false, ""},
		"empty vector":   {samples(), false, ""},
		"too large":      {samples("1e999"), true, ""},
		"too small":      {samples("1e-999"), false, ""},
		"scalar":         {fmt.Sprintf(scalar, "3"), true, ""},
		"scalar zero":    {fmt.Sprintf(scalar, "0"), false, ""},
		"with warnings":  {strings.Replace(samples("1"), `"data"`, `"warnings":["x"],"data"`, 1), true, ""},
		"a range":        {`{"status":"success","data":{"resultType":"matrix","result":[]}}`, false, "returns a matrix"},
		"a text":         {`{"status":"success","data":{"resultType":"string","result":[1,"1"]}}`, false, "returns a string"},
		"a histogram":    {fmt.Sprintf(vector, `{"metric":{},"histogram":[1,{"count":"1"}]}`), false, "cannot be read"},
		"a bare number":  {`{"status":"success","data":{"resultType":"scalar","result":[1,1]}}`, false, "cannot be read"},
		"words":          {samples("many"), false, "is no number"},
		"no result":      {`{"status":"success","data":{"resultType":"vector"}}`, false, "cannot be read"},
		"no data":        {`{"status":"success"}`, false, "a gate needs"},
		"refused":        {refused, false, "parse error"},
		"a web page":     {`<html>`, false, "not that of Prometheus"},
		"nothing":        {``, false, "not that of Prometheus"},
		"an empty thing": {`{}`, false, "gave no reason"},
	} {
		good, err := read([]byte(c.body))
		if good != c.good || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: read = %v, %v, want %v, %q", name, good, err, c.good, c.err)
		}
	}
}

func TestAsk(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch query := r.URL.Query().Get("query"); {
		case r.URL.Path != "/prom/api/v1/query" || user != "plumb" || password != "secret":
			w.WriteHeader(http.StatusTeapot)
		case query == `up{job="web"} == 1`:
			fmt.Fprint(w, samples("1"))
		case query == "long":
			fmt.Fprint(w, strings.Repeat(" ", maxBody), samples("1"))
		default:
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, refused)
		}
	}))
	defer server.Close()
	c, err := New(strings.Replace(server.URL, "http://", "http://plumb:secret@", 1) + "/prom/")
	if err != nil {
		t.Fatal(err)
	}
	if good, err := c.Ask(t.Context(), `up{job="web"} == 1`); !good || err != nil {
		t.Errorf("Ask = %v, %v, want true", good, err)
	}
	for query, want := range map[string]string{"long": "larger than", "up{": "answered with 400: prometheus did not answer: invalid parameter"} {
		if good, err := c.Ask(t.Context(), query); good || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Ask(%s) = %v, %v, want %q", query, good, err, want)
		}
	}
	server.Close()
	if good, err := c.Ask(t.Context(), "up"); good || err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("Ask with nobody there = %v, %v, want an error without the password", good, err)
	}
}

func TestNew(t *testing.T) {
	for address, fine := range map[string]bool{"http://p:9090": true, "https://p/prom": true, "p:9090": false, "": false, "ftp://p": false, "http://": false,
		"http://p/?query=x": false, "http://p\x7f": false} {
		if _, err := New(address); (err == nil) != fine {
			t.Errorf("New(%q) = %v, want fine: %v", address, err, fine)
		}
	}
}

// Whatever the answer is, it is judged without a panic, and never good without a value.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{samples("1"), samples("0", "NaN"), samples(), fmt.Sprintf(scalar, "1"), refused, `{"status":"success","data":{"resultType":"vector","result":[null]}}`,
		`{"status":"success","data":{"resultType":"scalar","result":null}}`, `[]`, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		good, err := read(body)
		if good && (err != nil || !strings.ContainsAny(string(body), "123456789iI")) {
			t.Errorf("read(%q) = good, %v", body, err)
		}
		if err != nil && len(err.Error()) > 2*maxWords {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}
