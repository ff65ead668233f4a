package prepare

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bizmatters/dragonfly-generator/api/v1alpha1"
	"github.com/bizmatters/dragonfly-generator/internal/instance"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/handover"
	"github.com/bizmatters/dragonfly-generator/internal/prepare/password"
)

const (
	endpoint = "my-cache.my-namespace.svc.cluster.local"
	// made is the UUID that is created from sixteen zero bytes, the tests' random source.
	made = "00000000-0000-4000-8000-000000000000"
)

func zeros() *bytes.Reader { return bytes.NewReader(make([]byte, 16)) }

// given returns a Secret with the given keys and values.
func given(rotation string, pairs ...string) secret {
	s := secret{version: "1", rotation: rotation, data: map[string][]byte{}}
	for i := 0; i < len(pairs); i += 2 {
		s.data[pairs[i]] = []byte(pairs[i+1])
	}
	return s
}

// patched returns the Secret as the API server would leave it.
func (s secret) patched(p patch) secret {
	s.data = maps.Clone(s.data)
	for key, value := range p.data {
		if s.data[key] = value; value == nil {
			delete(s.data, key)
		}
	}
	if change, there := p.annotations[v1alpha1.PasswordRotation]; there {
		if s.rotation = ""; change != nil {
			s.rotation = *change
		}
	}
	return s
}

func key(rotation string) string { return handover.RotationKey(rotation) }

func TestDecide(t *testing.T) {
	ok := func(s secret) secret { s.data["endpoint"] = []byte(endpoint); return s }
	for _, tc := range []struct {
		reason               string
		asked                string
		ordinal              int
		record               record
		password, connection secret

		origin    origin
		want      string // the password
		rotation  string
		corrected bool
		err       string // a part of it
		waits     bool
	}{
		{reason: "The first start creates the password.",
			password: given(""), connection: ok(given("")), origin: first, want: made},
		{reason: "The password is created for the rotation that the claim has from the beginning.", asked: "1",
			password: given(""), connection: ok(given("")), origin: first, want: made, rotation: "1"},
		{reason: "An empty value is not a password.",
			password: given("", "password", ""), connection: ok(given("", "password", "")), origin: first, want: made},
		{reason: "An existing password is kept.", record: record{HadPassword: true},
			password: given("", "password", "a"), connection: ok(given("", "password", "a")), origin: fromPassword, want: "a"},
		{reason: "So is Crossplane's, which the volume does not record.",
			password: given("", "password", "a"), connection: ok(given("", "password", "a", "DRAGONFLY_HOST", "h")), origin: fromPassword, want: "a"},
		{reason: "The password Secret takes precedence.",
			password: given("", "password", "a"), connection: ok(given("", "password", "b")), origin: fromPassword, want: "a"},
		{reason: "Only the connection Secret has the password.", record: record{HadPassword: true},
			password: given(""), connection: ok(given("", "password", "b")), origin: fromConnection, want: "b"},
		{reason: "A source that recorded no rotation was Existing; a pod without a volume cannot tell whether it is due.", asked: "2",
			password: given(""), connection: ok(given("", "password", "b")), origin: rotated, want: made, rotation: "2"},
		{reason: "Its rotation is taken from there too.",
			password: given(""), connection: ok(given("2", "password", "b")), origin: fromConnection, want: "b", rotation: "2"},
		{reason: "It belongs to the requested rotation.", asked: "2",
			password: given(""), connection: ok(given("2", "password", "b")), origin: fromConnection, want: "b", rotation: "2"},
		{reason: "It does even if someone restored the Secret without its annotation.", asked: "2", record: record{HadPassword: true, Rotation: "2"},
			password: given(""), connection: ok(given("", "password", "b")), origin: fromConnection, want: "b", rotation: "2"},
		{reason: "A pod with a newer template has rotated since.", asked: "2", record: record{HadPassword: true, Rotation: "2"},
			password: given(""), connection: ok(given("3", "password", "b")), origin: fromConnection, want: "b", rotation: "3"},
		{reason: "A volume without a record does not show that the rotation is done.", asked: "2", record: record{HadPassword: true, Rotation: "2", Guessed: true},
			password: given("", "password", "a"), connection: ok(given("", "password", "a")), origin: rotated, want: made, rotation: "2"},
		{reason: "Nor that a pod with a newer template has rotated.", asked: "2", record: record{HadPassword: true, Rotation: "2", Guessed: true},
			password: given("1", "password", "a"), connection: ok(given("1", "password", "a")), origin: rotated, want: made, rotation: "2"},
		{reason: "But a rotation that may have been done does not replace a lost password.", asked: "2", record: record{HadPassword: true, Rotation: "2", Guessed: true},
			password: given(""), connection: ok(given("")), err: "is lost"},
		{reason: "The connection Secret's password predates the rotation.", asked: "2",
			password: given(""), connection: ok(given("", "password", "b")), origin: rotated, want: made, rotation: "2"},
		{reason: "A rotation is requested for the first time.", asked: "1", record: record{HadPassword: true},
			password: given("", "password", "a"), connection: ok(given("", "password", "a")), origin: rotated, want: made, rotation: "1"},
		{reason: "Another rotation is requested.", asked: "2", record: record{HadPassword: true, Rotation: "1"},
			password: given("1", "password", "a", key("1"), "a"), connection: ok(given("1", "password", "a")), origin: rotated, want: made, rotation: "2"},
		{reason: "Any pod may rotate.", asked: "2", ordinal: 2,
			password: given("1", "password", "a"), connection: ok(given("1", "password", "a")), origin: rotated, want: made, rotation: "2"},
		{reason: "The rotation is done.", asked: "2", record: record{HadPassword: true, Rotation: "2"},
			password: given("2", "password", "a", key("2"), "a"), connection: ok(given("2", "password", "a")), origin: fromPassword, want: "a", rotation: "2"},
		{reason: "The rotation is half done, and is completed.", asked: "2", record: record{HadPassword: true, Rotation: "1"},
			password: given("2", "password", "a", key("2"), "a"), connection: ok(given("1", "password", "b")), origin: fromPassword, want: "a", rotation: "2"},
		{reason: "The rotation was removed from the claim.", record: record{HadPassword: true, Rotation: "2"},
			password: given("2", "password", "a", key("2"), "a"), connection: ok(given("2", "password", "a")), origin: fromPassword, want: "a", rotation: "2"},
		{reason: "Another source created the password of that rotation.", asked: "2",
			password: given("2", "password", "a"), connection: ok(given("2", "password", "a")), origin: fromPassword, want: "a", rotation: "2"},
		{reason: "Something removed the annotation, but the key shows the rotation.", asked: "2",
			password: given("", "password", "a", key("2"), "a"), connection: ok(given("", "password", "a")), origin: fromPassword, want: "a", rotation: "2"},
		{reason: "The key shows the rotation that the volume remembers, too.", record: record{HadPassword: true, Rotation: "2"},
			password: given("", "password", "a", key("2"), "a"), connection: ok(given("", "password", "a")), origin: fromPassword, want: "a", rotation: "2"},
		{reason: "Only the volume remembers the rotation.", record: record{HadPassword: true, Rotation: "2"},
			password: given("", "password", "a"), connection: ok(given("", "password", "a")), origin: fromPassword, want: "a", rotation: "2"},
		{reason: "A guess does not count.", record: record{HadPassword: true, Rotation: "2", Guessed: true},
			password: given("", "password", "a"), connection: ok(given("", "password", "a")), origin: fromPassword, want: "a"},
		{reason: "The key of a rotation does not count if it has another password.", asked: "2",
			password: given("", "password", "a", key("2"), "b"), connection: ok(given("", "password", "a")), origin: rotated, want: made, rotation: "2"},
		{reason: "The annotation takes precedence over the key.", asked: "2",
			password: given("3", "password", "a", key("2"), "a"), connection: ok(given("3", "password", "a")), origin: rotated, want: made, rotation: "2"},

		{reason: "Lost.", record: record{HadPassword: true}, password: given(""), connection: ok(given("")), err: "is lost"},
		{reason: "Lost, and the rotation was done.", asked: "2", record: record{HadPassword: true, Rotation: "2"},
			password: given(""), connection: ok(given("")), err: "is lost"},
		{reason: "Lost, and a Secret records that the rotation was done.", asked: "2", record: record{HadPassword: true, Rotation: "1"},
			password: given("2"), connection: ok(given("1")), err: "is lost"},
		{reason: "Lost, and the other Secret records that the rotation was done.", asked: "2", record: record{HadPassword: true, Rotation: "1"},
			password: given(""), connection: ok(given("2")), err: "is lost"},
		{reason: "Lost, seen by a replica.", ordinal: 1, record: record{HadPassword: true}, password: given(""), connection: ok(given("")), err: "is lost"},
		{reason: "Lost, and a new password is requested.", asked: "3", record: record{HadPassword: true, Rotation: "2"},
			password: given(""), connection: ok(given("")), origin: rotated, want: made, rotation: "3"},
		{reason: "Lost, and the rotation is removed from the claim.", record: record{HadPassword: true, Rotation: "2"},
			password: given(""), connection: ok(given("")), err: "is lost"},

		{reason: "A replica does not create the first password.", ordinal: 1, password: given(""), connection: ok(given("")), err: "pod my-cache-0", waits: true},
		{reason: "Nor for a rotation, because the Secrets may have been lost.", ordinal: 1, asked: "2", password: given(""), connection: ok(given("")), err: "pod my-cache-0", waits: true},
		{reason: "The connection Secret is not complete yet.", password: given(""), connection: given(""), err: "no key endpoint yet", waits: true},
		{reason: "Renamed.", password: given(""), connection: given("", "endpoint", "cache.my-namespace.svc.cluster.local"), err: `"cache.my-namespace.svc.cluster.local"`},
		{reason: "Renamed by a prefix.", password: given(""), connection: given("", "endpoint", "y-cache.my-namespace.svc.cluster.local"), err: "something renamed"},
		{reason: "Moved to another namespace.", password: given(""), connection: given("", "endpoint", "my-cache.my-namespace-2.svc.cluster.local"), err: "something renamed"},
		{reason: "Renamed, seen by a replica.", ordinal: 1, password: given(""), connection: given("", "endpoint", "c.my-namespace.svc"), err: "something renamed"},
		{reason: "Moved to another namespace, with a password: it was copied.",
			password: given("", "password", "a"), connection: given("", "endpoint", "my-cache.shop.svc.cluster.local"), origin: fromPassword, want: "a", corrected: true},
		{reason: "Copied, with the password only in the connection Secret.",
			password: given(""), connection: given("", "password", "a", "endpoint", "my-cache.shop.svc.cluster.local"), origin: fromConnection, want: "a", corrected: true},
		{reason: "Copied, with a rotation, so the copy gets its own password.", asked: "2",
			password: given("", "password", "a"), connection: given("", "password", "a", "endpoint", "my-cache.shop.svc.cluster.local"), origin: rotated, want: made, rotation: "2", corrected: true},
		{reason: "The endpoint was corrected before, so it does not come from a copy.", record: record{HadPassword: true, EndpointCorrected: true},
			password: given("", "password", "a"), connection: given("", "password", "a", "endpoint", "my-cache.shop.svc.cluster.local"),
			err: `Secret my-namespace/my-cache-conn has the endpoint "my-cache.shop.svc.cluster.local" again`},
		{reason: "In that case, it does not rotate either.", asked: "2", record: record{HadPassword: true, EndpointCorrected: true},
			password: given("", "password", "a"), connection: given("", "password", "a", "endpoint", "my-cache.shop.svc.cluster.local"), err: "something applies another instance's manifests"},
		{reason: "The endpoint was corrected before, and is still right.", record: record{HadPassword: true, EndpointCorrected: true},
			password: given("", "password", "a"), connection: ok(given("")), origin: fromPassword, want: "a"},
		{reason: "An instance with a password starts even before the connection Secret is complete.",
			password: given("", "password", "a"), connection: given(""), origin: fromPassword, want: "a"},
		{reason: "The cluster has another domain.", password: given(""), connection: given("", "endpoint", "my-cache.my-namespace.svc.example.org"), origin: first, want: made},

		{reason: "Not a password.", password: given("", "password", "hunter2\n"), connection: ok(given("")), err: "key password of Secret my-namespace/my-cache-password ends with a line break"},
		{reason: "Not a password, in the connection Secret.", password: given(""), connection: ok(given("", "password", "hunter2\x00")), err: "key password of Secret my-namespace/my-cache-conn contains a line break or a NUL"},
		{reason: "In the connection Secret, it does not matter if it is overwritten.", password: given("", "password", "a"), connection: ok(given("", "password", "hunter2\x00")), origin: fromPassword, want: "a"},
	} {
		f := facts{
			instance: instance.Name{Namespace: "my-namespace", Name: "my-cache"}, ordinal: tc.ordinal,
			rotation: tc.asked, record: tc.record, password: tc.password, connection: tc.connection,
		}
		d, err := f.decide(zeros())
		if tc.err != "" {
			require.ErrorContains(t, err, tc.err, tc.reason)
			assert.NotContains(t, err.Error(), "hunter2", tc.reason)
			var wait *waiting
			assert.Equal(t, tc.waits, errors.As(err, &wait), tc.reason)
			continue
		}
		require.NoError(t, err, tc.reason)
		assert.Equal(t, tc.origin, d.origin, tc.reason)
		assert.Equal(t, tc.want, d.password.Reveal(), tc.reason)
		assert.Equal(t, tc.rotation, d.rotation, tc.reason)
		assert.Equal(t, tc.corrected, d.corrected, tc.reason)
	}
}

// Every combination of what the Secrets, the volume, the pod and the claim can say follows the rules.
func TestDecideEverything(t *testing.T) {
	passwords, rotations, keyed := []string{"", "a", "b"}, []string{"", "1", "2"}, []string{"", "1", "2"}
	records := []record{
		{}, {HadPassword: true}, {HadPassword: true, Rotation: "1"}, {HadPassword: true, Rotation: "2"},
		{HadPassword: true, Rotation: "2", Guessed: true}, {HadPassword: true, Rotation: "2", EndpointCorrected: true},
	}
	count := map[string]int{}
	for _, asked := range rotations {
		for _, ordinal := range []int{0, 1} {
			for _, host := range []string{"", endpoint, "c.my-namespace.svc.cluster.local"} {
				for _, remembered := range records {
					for _, inPassword := range passwords {
						for _, inConnection := range passwords {
							for _, ofPassword := range rotations {
								for _, ofConnection := range rotations {
									for _, ofKey := range keyed {
										f := facts{
											instance: instance.Name{Namespace: "my-namespace", Name: "my-cache"}, ordinal: ordinal, record: remembered,
											rotation: asked, request: handover.Request{Keys: map[string]string{"uri": "redis://:{password}@{endpoint}", "n": "{name}"}},
											password:   given(ofPassword, "password", inPassword, key(ofKey), inPassword),
											connection: given(ofConnection, "password", inConnection, "endpoint", host),
										}
										count[rules(t, f)]++
									}
								}
							}
						}
					}
				}
			}
		}
	}
	for _, outcome := range []string{"kept", "from connection", "first", "rotated", "lost", "renamed", "applied again", "waits"} {
		assert.Positive(t, count[outcome], outcome)
	}
}

// rules checks one combination, and returns what came out.
func rules(t *testing.T, f facts) string {
	t.Helper()
	asked, inPassword, inConnection := f.rotation, string(f.password.data["password"]), string(f.connection.data["password"])
	host := string(f.connection.data["endpoint"])
	isForeign := host != "" && host != endpoint
	d, err := f.decide(zeros())
	if err != nil {
		require.Zero(t, d, "%+v", f)
		if strings.Contains(err.Error(), "again") {
			require.True(t, isForeign && f.record.EndpointCorrected, "%+v", f)
			return "applied again"
		}
		require.Empty(t, inPassword+inConnection, "An instance with a password starts: %+v", f)
		var wait *waiting
		switch {
		case errors.As(err, &wait):
			require.True(t, f.ordinal == 1 || host == "", "%+v", f)
			return "waits"
		case strings.Contains(err.Error(), "is lost"):
			require.True(t, f.record.HadPassword, "%+v", f)
			return "lost"
		}
		require.Contains(t, err.Error(), "something renamed")
		require.True(t, isForeign, "%+v", f)
		return "renamed"
	}
	require.Equal(t, isForeign, d.corrected, "%+v", f)
	require.Contains(t, []string{asked, f.password.rotation, f.connection.rotation, f.record.Rotation}, d.rotation, "%+v", f)
	switch {
	case f.hasRotated():
		require.Contains(t, []origin{fromPassword, fromConnection}, d.origin, "A pod with an older template does not rotate back: %+v", f)
		require.Equal(t, asked, d.remember, "%+v", f)
		require.Contains(t, []string{asked, f.password.rotation, f.connection.rotation}, d.rotation, "%+v", f)
	case asked != "":
		require.Equal(t, asked, d.rotation, "%+v", f)
		require.Equal(t, asked, d.remember, "%+v", f)
	case !f.record.Guessed:
		require.True(t, d.remember != "" || f.record.Rotation == "", "The volume does not forget a rotation: %+v", f)
	}
	outcome := ""
	switch d.origin {
	case fromPassword:
		outcome = "kept"
		require.Equal(t, inPassword, d.password.Reveal(), "%+v", f)
	case fromConnection:
		outcome = "from connection"
		require.Equal(t, inConnection, d.password.Reveal(), "%+v", f)
		require.Empty(t, inPassword, "%+v", f)
		require.True(t, asked == "" || asked == f.connection.rotation || f.hasRotated(), "%+v", f)
	case first:
		outcome = "first"
		require.Empty(t, inPassword+inConnection, "%+v", f)
		require.False(t, f.record.HadPassword, "%+v", f)
		require.Zero(t, f.ordinal, "%+v", f)
		require.Equal(t, endpoint, host, "%+v", f)
	case rotated:
		outcome = "rotated"
		require.NotEmpty(t, asked, "There is no new password unless someone requests it: %+v", f)
		require.True(t, inPassword == "" || asked != f.password.rotation, "%+v", f)
		require.True(t, inConnection == "" || inPassword != "" || asked != f.connection.rotation, "%+v", f)
		if inPassword+inConnection == "" {
			require.NotContains(t, []string{f.record.Rotation, f.connection.rotation}, asked, "%+v", f)
		}
	}
	if d.origin == first || d.origin == rotated {
		require.Equal(t, made, d.password.Reveal(), "%+v", f)
	}

	// A run between the two writes or after both finds the same password, and does not change it.
	between := f
	between.password = f.password.patched(d.passwordPatch)
	next, err := between.decide(bytes.NewReader(nil))
	require.NoError(t, err, "%+v", f)
	require.True(t, next.password.Reveal() == d.password.Reveal(), "%+v", f)
	require.True(t, next.passwordPatch.isEmpty(), "%+v", f)
	require.Equal(t, d.connectionPatch, next.connectionPatch, "%+v", f)

	after := between
	after.connection = f.connection.patched(d.connectionPatch)
	after.record = record{HadPassword: true, Rotation: d.remember, EndpointCorrected: f.record.EndpointCorrected || d.corrected}
	next, err = after.decide(bytes.NewReader(nil))
	require.NoError(t, err, "%+v", f)
	require.True(t, next.password.Reveal() == d.password.Reveal(), "%+v", f)
	require.True(t, next.passwordPatch.isEmpty() && next.connectionPatch.isEmpty(), "%+v", f)
	require.False(t, next.corrected, "%+v", f)
	if host != "" {
		require.Equal(t, endpoint, string(after.connection.data["endpoint"]), "%+v", f)
		require.Equal(t, "redis://:"+d.password.Reveal()+"@"+endpoint, string(after.connection.data["uri"]), "%+v", f)
	}

	settled, ok := after.settled()
	require.Equal(t, host != "" && d.rotation == d.remember, ok, "%+v", after)
	require.True(t, !ok || settled.password.Reveal() == d.password.Reveal() && settled.remember == d.remember, "%+v", f)
	return outcome
}

// Mounted copies from before a rotation never settle the decision.
func TestSettled(t *testing.T) {
	right := func() facts {
		return facts{
			instance: instance.Name{Namespace: "my-namespace", Name: "my-cache"}, record: record{HadPassword: true, Rotation: "2"},
			rotation: "2", request: handover.Request{Keys: map[string]string{"uri": "redis://:{passwordEncoded}@h", "HOST": "{endpoint}"}},
			password: given("", "password", "a/", key("2"), "a/"), connection: given("", "password", "a/", "endpoint", endpoint, "uri", "redis://:a%2F@h", "HOST", endpoint),
		}
	}
	d, ok := right().settled()
	assert.True(t, ok)
	assert.Equal(t, "a/", d.password.Reveal())
	assert.Equal(t, "2", d.remember)
	for reason, change := range map[string]func(f *facts){
		"The password predates the rotation.":                       func(f *facts) { f.rotation = "3" },
		"So it does if the claim no longer has the rotation.":       func(f *facts) { f.rotation, f.record.Rotation = "", "3" },
		"The key of the rotation has another password.":             func(f *facts) { f.password.data[key("2")] = []byte("b") },
		"There is no password.":                                     func(f *facts) { f.password.data = nil },
		"It is not a password.":                                     func(f *facts) { f.password = given("", "password", "a\n", key("2"), "a\n") },
		"The connection Secret has no password.":                    func(f *facts) { delete(f.connection.data, "password") },
		"The connection Secret has another password.":               func(f *facts) { f.connection.data["password"] = []byte("b") },
		"A key of the connection Secret contains another password.": func(f *facts) { f.connection.data["uri"] = []byte("redis://:b@h") },
		"A key of the connection Secret is missing.":                func(f *facts) { delete(f.connection.data, "uri") },
		"A key whose template is empty is missing.":                 func(f *facts) { f.request.Keys["empty"] = "" },
		"A key contains another endpoint.":                          func(f *facts) { f.connection.data["HOST"] = []byte("c.my-namespace.svc.cluster.local") },
		"The recorded rotation is a guess.":                         func(f *facts) { f.record.Guessed = true },
		"The connection Secret does not exist.":                     func(f *facts) { f.connection.data = nil },
		"The connection Secret belongs to another instance.":        func(f *facts) { f.connection.data["endpoint"] = []byte("c.my-namespace.svc.cluster.local") },
		"The connection Secret has no endpoint.":                    func(f *facts) { delete(f.connection.data, "endpoint") },
	} {
		f := right()
		change(&f)
		_, ok := f.settled()
		assert.False(t, ok, reason)
	}
	f := right()
	f.rotation, f.record.Rotation = "2", "3"
	_, ok = f.settled()
	assert.True(t, ok, "Without a volume, there is no record to compare with.")
	f.request.Data = "/data"
	_, ok = f.settled()
	assert.False(t, ok, "The claim returns to an earlier rotation, and the copies may date from then.")

	f = right()
	f.rotation = ""
	_, ok = f.settled()
	assert.True(t, ok, "The rotation was removed from the claim, and nothing changes.")
}

// The patches, key by key.
func TestPatches(t *testing.T) {
	one, two := "1", "2"
	f := facts{
		instance: instance.Name{Namespace: "my-namespace", Name: "my-cache"}, record: record{HadPassword: true, Rotation: "1"},
		rotation:   "2",
		request:    handover.Request{Keys: map[string]string{"uri": "redis://:{password}@h", "HOST": "h"}},
		password:   given("1", "password", "a", key("1"), "a", key("0"), "z", "password-notes", "mine", "other", "mine"),
		connection: given("1", "password", "a", "endpoint", endpoint, "HOST", "h", "other", "mine"),
	}
	d, err := f.decide(zeros())
	require.NoError(t, err)
	assert.Equal(t, patch{
		data:        map[string][]byte{"password": []byte(made), key("2"): []byte(made), key("1"): nil, key("0"): nil},
		annotations: map[string]*string{v1alpha1.PasswordRotation: &two},
	}, d.passwordPatch, "Only the keys of other rotations are removed.")
	assert.Equal(t, patch{
		data:        map[string][]byte{"password": []byte(made), "uri": []byte("redis://:" + made + "@h")},
		annotations: map[string]*string{v1alpha1.PasswordRotation: &two},
	}, d.connectionPatch)

	f.rotation, f.record.Rotation, f.password, f.connection.rotation = "", "", given("", "password", "a"), one
	d, err = f.decide(zeros())
	require.NoError(t, err)
	assert.True(t, d.passwordPatch.isEmpty())
	assert.Equal(t, map[string]*string{v1alpha1.PasswordRotation: nil}, d.connectionPatch.annotations, "The connection Secret follows.")
}

func TestRandomSourceFails(t *testing.T) {
	f := facts{instance: instance.Name{Namespace: "my-namespace", Name: "my-cache"}, password: given(""), connection: given("", "endpoint", endpoint)}
	d, err := f.decide(bytes.NewReader(nil))
	require.ErrorContains(t, err, "random number generator")
	assert.Equal(t, password.Password{}, d.password)
}

// Whatever follows .svc. is kept.
func TestOwnEndpoint(t *testing.T) {
	for have, want := range map[string]string{
		"":                                "",
		endpoint:                          endpoint,
		"my-cache.shop.svc.cluster.local": endpoint,
		"eu-my-cache.my-namespace.svc.k8s.example.org": "my-cache.my-namespace.svc.k8s.example.org",
		"svc.svc.svc.svc.local":                        "my-cache.my-namespace.svc.svc.local",
		"my-cache.my-namespace.svc":                    "my-cache.my-namespace.svc",
		"my-cache.shop.svc":                            "my-cache.my-namespace.svc",
		"my-cache.my-namespace.svc.":                   "my-cache.my-namespace.svc.",
		"redis.example.org":                            "my-cache.my-namespace.svc",
	} {
		f := facts{instance: instance.Name{Namespace: "my-namespace", Name: "my-cache"}, connection: given("", "endpoint", have)}
		assert.Equal(t, want, f.ownEndpoint(), have)
		assert.Equal(t, have != want, f.hasForeignEndpoint(), have)
	}
}

// In a copied namespace, every key that contains the instance's location is corrected.
func TestCorrectedKeys(t *testing.T) {
	f := facts{
		instance: instance.Name{Namespace: "my-namespace", Name: "my-cache"},
		request: handover.Request{Keys: map[string]string{
			"uri": "redis://:{passwordEncoded}@{endpoint}:6379/0", "HOST": "{endpoint}", "SCOPE": "{namespace}/{name}", "fixed": "x",
		}},
		password: given("", "password", "a"),
		connection: given("", "password", "a", "endpoint", "my-cache.shop.svc.cluster.local", "port", "6379",
			"uri", "redis://:a@my-cache.shop.svc.cluster.local:6379/0", "HOST", "my-cache.shop.svc.cluster.local", "SCOPE", "shop/my-cache", "fixed", "x"),
	}
	d, err := f.decide(nil)
	require.NoError(t, err)
	assert.Equal(t, map[string][]byte{
		"endpoint": []byte(endpoint), "uri": []byte("redis://:a@" + endpoint + ":6379/0"), "HOST": []byte(endpoint), "SCOPE": []byte("my-namespace/my-cache"),
	}, d.connectionPatch.data)

	delete(f.connection.data, "endpoint")
	d, err = f.decide(nil)
	require.NoError(t, err)
	assert.Equal(t, map[string][]byte{"SCOPE": []byte("my-namespace/my-cache")}, d.connectionPatch.data, "Keys that need an endpoint wait for it.")
	_, ok := f.settled()
	assert.False(t, ok)
}

// With the source Existing, the password always comes from the password Secret, which is never patched.
func TestExisting(t *testing.T) {
	passwords := []map[string]string{{}, {"password": ""}, {"password": "a"}, {"password": "hunter2\n"}}
	records := []record{
		{}, {HadPassword: true}, {HadPassword: true, Rotation: "1"}, {HadPassword: true, Rotation: "2"},
		{HadPassword: true, Rotation: "2", Guessed: true}, {HadPassword: true, EndpointCorrected: true},
	}
	count := map[string]int{}
	for _, data := range []string{"", "/data"} {
		for _, asked := range []string{"", "2"} {
			for _, host := range []string{"", endpoint, "my-cache.shop.svc.cluster.local"} {
				for _, remembered := range records {
					for _, inPassword := range passwords {
						for _, inConnection := range []string{"", "a", "b"} {
							if data == "" && remembered != (record{}) {
								continue
							}
							f := facts{
								instance: instance.Name{Namespace: "my-namespace", Name: "my-cache"}, ordinal: 1, record: remembered, rotation: asked,
								request:    handover.Request{Existing: true, Data: data, Keys: map[string]string{"uri": "redis://:{password}@{endpoint}"}},
								password:   given("7"),
								connection: given("7", "password", inConnection, "endpoint", host),
							}
							for key, value := range inPassword {
								f.password.data[key] = []byte(value)
							}
							count[existingRules(t, f)]++
						}
					}
				}
			}
		}
	}
	for _, outcome := range []string{"followed", "renamed", "applied again", "waits", "invalid"} {
		assert.Positive(t, count[outcome], outcome)
	}
}

func existingRules(t *testing.T, f facts) string {
	t.Helper()
	host, inConnection := string(f.connection.data["endpoint"]), string(f.connection.data["password"])
	value, found := f.password.data["password"]
	isForeign := host != "" && host != endpoint
	d, err := f.decide(nil)
	var wait *waiting
	switch {
	case err == nil:
		require.False(t, isForeign && inConnection == "", "%+v", f)
	case errors.As(err, &wait):
		require.False(t, found, "%+v", f)
		require.Equal(t, "Secret my-namespace/my-cache-password has no key password yet", wait.reason)
		return "waits"
	case strings.Contains(err.Error(), "something renamed"):
		require.True(t, isForeign && inConnection == "", "Without a password, the connection Secret is not a copy: %+v", f)
		return "renamed"
	case strings.Contains(err.Error(), "again"):
		require.True(t, isForeign && f.record.EndpointCorrected, "%+v", f)
		return "applied again"
	default:
		require.NotContains(t, err.Error(), "hunter2")
		require.ErrorContains(t, err, "key password of Secret my-namespace/my-cache-password ")
		require.NotEqual(t, "a", string(value))
		return "invalid"
	}
	require.Equal(t, "a", d.password.Reveal(), "%+v", f)
	require.Zero(t, d.passwordPatch, "%+v", f)
	require.Nil(t, d.connectionPatch.annotations, "Nothing about rotations is written: %+v", f)
	require.Equal(t, isForeign, d.corrected, "%+v", f)
	for key := range d.connectionPatch.data {
		require.Contains(t, []string{"password", "endpoint", "uri"}, key)
	}
	switch {
	case f.rotation != "":
		require.Equal(t, f.rotation, d.remember, "%+v", f)
	case !f.record.Guessed:
		require.Equal(t, f.record.Rotation, d.remember, "Removing the rotation changes nothing: %+v", f)
	}

	after := f
	after.connection = f.connection.patched(d.connectionPatch)
	after.record = record{}
	_, ok := after.settled()
	require.Equal(t, host != "" && f.rotation == "", ok, "Mounted copies do not prove a rotation: %+v", f)
	if f.request.Data != "" {
		after.record = record{HadPassword: true, Rotation: d.remember}
		settled, ok := after.settled()
		require.Equal(t, host != "", ok, "%+v", f)
		require.Equal(t, d.remember, settled.remember, "%+v", f)
	}
	return "followed"
}
