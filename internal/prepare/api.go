package prepare

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
)

const (
	// requestTimeout is how long a request may take. The API server itself gives up after a minute.
	requestTimeout = 10 * time.Second
	// maxResponse is several times the 1 MiB that a Secret may hold.
	maxResponse = 8 << 20
	// fieldManager identifies our writes in metadata.managedFields of the Secrets.
	fieldManager = "dragonfly-generator-" + handover.Command
)

// waiting is an error that may go away, so Run retries.
type waiting struct {
	reason string
	status int // of the API server's response, 0 if there was none
}

func (w *waiting) Error() string { return w.reason }

// api is a client of the API server that gets and patches the Secrets of one namespace.
type api struct {
	server    string // its URL
	namespace string
	token     string // the path of its file, which the kubelet renews
	client    *http.Client
}

// newAPI uses the token and certificate that Kubernetes mounts into pods. root is where the mount paths start.
func newAPI(root, host, port, namespace string, wrap func(http.RoundTripper) http.RoundTripper) (*api, error) {
	folder := filepath.Join(root, handover.TokenPath)
	ca, err := os.ReadFile(filepath.Join(folder, "ca.crt")) //nolint:gosec // the mount path
	if err != nil {
		return nil, fmt.Errorf("the API server's CA certificate cannot be read: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s/ca.crt contains no certificate", handover.TokenPath)
	}
	var transport http.RoundTripper = &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: requestTimeout,
	}
	if wrap != nil {
		transport = wrap(transport)
	}
	return &api{
		server: "https://" + net.JoinHostPort(strings.Trim(host, "[]"), port), namespace: namespace,
		token: filepath.Join(folder, "token"),
		client: &http.Client{
			Transport: transport, Timeout: requestTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// get reads a Secret.
func (a *api) get(ctx context.Context, name string) (secret, error) {
	body, err := a.do(ctx, http.MethodGet, name, nil)
	if err != nil {
		return secret{}, err
	}
	var object corev1.Secret
	if json.Unmarshal(body, &object) != nil || object.ResourceVersion == "" { // the error may quote a value
		return secret{}, &waiting{reason: fmt.Sprintf("the response from %s is not Secret %s/%s", a.server, a.namespace, name)}
	}
	return secret{version: object.ResourceVersion, rotation: object.Annotations[v1alpha1.PasswordRotation], data: object.Data}, nil
}

// patch changes a Secret if it still has that version; otherwise, the error has the status 409.
func (a *api) patch(ctx context.Context, name, version string, p patch) error {
	metadata := map[string]any{"resourceVersion": version}
	if len(p.annotations) > 0 {
		metadata["annotations"] = p.annotations
	}
	change := map[string]any{"metadata": metadata}
	if len(p.data) > 0 {
		change["data"] = p.data
	}
	body, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = a.do(ctx, http.MethodPatch, name, body)
	return err
}

// do sends a request for a Secret and returns the body of the response. No error quotes a body.
func (a *api) do(ctx context.Context, method, name string, body []byte) ([]byte, error) {
	token, err := os.ReadFile(a.token)
	if err != nil {
		return nil, &waiting{reason: fmt.Sprintf("the token cannot be read: %s", err)}
	}
	path := a.server + "/api/v1/namespaces/" + url.PathEscape(a.namespace) + "/secrets/" + url.PathEscape(name)
	if method == http.MethodPatch {
		path += "?fieldManager=" + fieldManager
	}
	request, err := http.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT do not form a valid URL")
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", fieldManager)
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := a.client.Do(request)
	if err != nil {
		return nil, &waiting{reason: fmt.Sprintf("no response from the API server %s: %s", a.server, reason(err))}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxResponse))
	if err != nil {
		return nil, &waiting{reason: fmt.Sprintf("no response from the API server %s: %s", a.server, reason(err))}
	}
	status := response.StatusCode
	switch {
	case status == http.StatusOK:
		return answer, nil
	case status == http.StatusConflict:
		return nil, &waiting{fmt.Sprintf("something else changed Secret %s/%s", a.namespace, name), status}
	case status == http.StatusNotFound:
		return nil, &waiting{fmt.Sprintf("Secret %s/%s does not exist yet", a.namespace, name), status}
	case status == http.StatusForbidden:
		return nil, &waiting{fmt.Sprintf("the pod is not allowed to %s Secret %s/%s yet: its Role or RoleBinding is missing", strings.ToLower(method), a.namespace, name), status}
	case status == http.StatusUnauthorized:
		return nil, &waiting{fmt.Sprintf("the API server %s does not accept the pod's token yet", a.server), status}
	case status == http.StatusTooManyRequests || status >= 500:
		return nil, &waiting{fmt.Sprintf("the API server %s responded with %d %s", a.server, status, http.StatusText(status)), status}
	}
	return nil, fmt.Errorf("the API server %s refused to %s Secret %s/%s: %d %s", a.server, strings.ToLower(method), a.namespace, name, status, http.StatusText(status))
}

// reason returns why a request failed, without the details that differ between attempts, such as local ports.
func reason(err error) string {
	var operation *net.OpError
	var request *url.Error
	switch timeout := net.Error(nil); {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &operation):
		return operation.Err.Error()
	case errors.As(err, &request):
		return request.Err.Error()
	}
	return err.Error()
}
