package testserver

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"crypto/x509"

	"plumb/agent/protocol"
	"plumb/inventory"
	"plumb/policies"
)

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+protocol.PathEnroll, s.enroll)
	mux.HandleFunc("POST "+protocol.PathRenew, s.renew)
	mux.HandleFunc("POST "+protocol.PathCheckIn, s.checkIn)
	mux.HandleFunc("PUT "+protocol.PathObjects+"{digest}", s.put)
	mux.HandleFunc("GET "+protocol.PathTags+"{digest}", s.get(s.tags))
	mux.HandleFunc("GET "+protocol.PathBundles+"{digest}", s.get(s.bundles))
	mux.HandleFunc("GET "+protocol.PathSets+"{digest}", s.get(s.sets))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		before := s.before
		s.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		mux.ServeHTTP(w, r)
	})
}

func refuse(w http.ResponseWriter, code int, text string) {
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(protocol.Problem{Error: text})
}

func (s *Server) enroll(w http.ResponseWriter, r *http.Request) {
	var in protocol.Enrollment
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Secret != s.secret {
		refuse(w, http.StatusForbidden, "the token is not known")
		return
	}
	s.host = inventory.Host{ID: "8f7c0b1e-0000-4000-8000-000000000001", Name: in.Name, Labels: map[string]string{"role": "web"}}
	s.issue(w, in.CSR)
}

func (s *Server) renew(w http.ResponseWriter, r *http.Request) {
	var in protocol.Renewal
	json.NewDecoder(r.Body).Decode(&in)
	s.renewals++
	s.issue(w, in.CSR)
}

func (s *Server) issue(w http.ResponseWriter, text string) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		refuse(w, http.StatusBadRequest, "no request")
		return
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || csr.CheckSignature() != nil {
		refuse(w, http.StatusBadRequest, "a bad request")
		return
	}
	cert := s.CA.sign(&x509.Certificate{Subject: csr.Subject, NotBefore: s.Now().Add(-time.Minute), NotAfter: s.Now().Add(7 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, csr.PublicKey)
	json.NewEncoder(w).Encode(protocol.Enrolled{Host: s.host, CA: s.CA.PEM(),
		Certificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))})
}

func (s *Server) checkIn(w http.ResponseWriter, r *http.Request) {
	var in protocol.CheckIn
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	s.checkIns = append(s.checkIns, in)
	answer := protocol.Answer{Want: []string{}, Interval: 300}
	for _, report := range in.Reports {
		s.keep(report.Result, in.Objects[report.Result])
		answer.Epoch, answer.Accepted = report.Epoch, s.epochs[report.Epoch]
		if report.Seq != s.epochs[report.Epoch]+1 {
			continue
		}
		if missing := s.missing(report); len(missing) > 0 {
			answer.Want = append(answer.Want, missing...)
			break
		}
		s.epochs[report.Epoch] = report.Seq
		s.reports = append(s.reports, report)
		answer.Accepted = report.Seq
	}
	if s.newest.Release > 0 {
		answer.Lease = s.lease(s.newest)
	}
	if s.answer != nil {
		s.answer(&answer)
	}
	json.NewEncoder(w).Encode(answer)
}

func (s *Server) missing(r policies.Report) []string {
	var list []string
	for _, digest := range []string{r.Facts, r.Catalog, r.Result, r.Offers} {
		if digest != "" && s.objects[digest] == nil {
			list = append(list, digest)
		}
	}
	return list
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	packed, err := io.ReadAll(r.Body)
	if err != nil || !s.keep(r.PathValue("digest"), packed) {
		refuse(w, http.StatusBadRequest, "not gzip, or a wrong digest")
	}
}

// keep takes an object if it is what its digest says.
func (s *Server) keep(digest string, packed []byte) bool {
	raw, err := protocol.Unpack(packed, protocol.MaxObject)
	if err != nil || inventory.Digest(raw) != digest {
		return false
	}
	s.objects[digest] = raw
	return true
}

func (s *Server) get(from map[string][]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		raw, ok := from[strings.TrimSpace(r.PathValue("digest"))]
		if !ok {
			refuse(w, http.StatusNotFound, "there is no such object")
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(raw))
	}
}
