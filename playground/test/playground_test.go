// Package playground_test opens the built page in a real headless browser and uses it as a person does.
package playground_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// path is below the root, like that of a project's page on GitHub Pages.
const path = "/dragonfly-generator/"

// limit is the maximum size of the page in bytes, compressed.
const limit = 5_000_000

// patience is generous, because the machine may be busy.
const patience = 2 * time.Minute

type step = chromedp.Action[chromedp.Void]

// chromium is the browser, which Go does not provide.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "google-chrome"} {
		if name == "" {
			continue
		}
		if found, err := exec.LookPath(name); err == nil {
			return found
		}
	}
	require.FailNow(t, "Chromium is not installed; install it (apt-get install chromium), or set CHROMIUM=/path/to/it")
	return ""
}

// folder contains the built page.
func folder(t *testing.T) string {
	t.Helper()
	dir := cmp.Or(os.Getenv("PLAYGROUND"), filepath.Join("..", "..", "bin", "playground"))
	require.FileExists(t, filepath.Join(dir, "generator.wasm.gz"), "the page is not built; use make playground-test")
	return dir
}

// browser is a running browser, and a server with the page.
type browser struct {
	context.Context

	address string
	mu      sync.Mutex
	asked   []string // the requests that the server got
}

func start(t *testing.T) *browser {
	t.Helper()
	b := &browser{}
	files := http.StripPrefix(path, http.FileServer(http.Dir(folder(t))))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		b.asked = append(b.asked, r.RequestURI)
		b.mu.Unlock()
		if !strings.HasPrefix(r.URL.Path, path) {
			http.NotFound(w, r)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	b.address = server.URL + path

	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(chromium(t)), chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run as root with a sandbox
	}
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	b.Context = ctx
	return b
}

// page is a tab that collects console errors and requests to other servers; there must be none.
type page struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
	requests   []string
}

// open opens the page in a new tab, and waits for the generator.
func (b *browser) open(t *testing.T, fragment string) *page {
	t.Helper()
	tab, cancel := chromedp.NewContext(b.Context)
	t.Cleanup(cancel)
	p := &page{t: t, ctx: tab}
	require.NoError(t, chromedp.Do(tab, chromedp.Navigate("about:blank")))
	require.NoError(t, chromedp.Listen(tab, p.hear))
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		assert.Empty(t, p.complaints, "the console must be empty")
		assert.NotEmpty(t, p.requests)
		for _, url := range p.requests {
			isOwn := strings.HasPrefix(url, b.address) || strings.HasPrefix(url, "blob:"+strings.TrimSuffix(b.address, path))
			assert.True(t, isOwn, "%s was requested, which is on another server", url)
		}
	})
	p.do(chromedp.Navigate(b.address + fragment))
	p.wait("the generator has started", `document.querySelector('#status').matches('.good, .warning, .error')`)
	return p
}

func (p *page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, event.Request.URL)
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, event.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		p.complaints = append(p.complaints, "console."+string(event.Type))
	case *log.EventEntryAdded:
		p.complaints = append(p.complaints, event.Entry.Text+" "+event.Entry.URL)
	}
}

func (p *page) do(steps ...step) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, steps...))
}

// wait waits until the JavaScript expression is true. While the page reloads, evaluating it fails, which is not an
// error.
func (p *page) wait(what, expression string) {
	p.t.Helper()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var isTrue bool
		if isTrue, last = evaluate[bool](p, expression); isTrue {
			return
		}
	}
	shows, _ := evaluate[string](p, `document.body.innerText`)
	require.FailNow(p.t, "waited in vain until "+what, "error: %v; the page shows:\n%s", last, shows)
}

func evaluate[T any](p *page, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// get returns the value of the JavaScript expression.
func get[T any](p *page, expression string) T {
	p.t.Helper()
	value, err := evaluate[T](p, expression)
	require.NoError(p.t, err, expression)
	return value
}

const (
	claimEditor         = "#claim textarea"
	configurationEditor = "#configuration textarea"
)

// typedConfiguration is what a person types for a configuration up to its spec. The editor indents automatically.
const typedConfiguration = "apiVersion: database.bizmatters.io/v1alpha1\nkind: DragonflyGenerator\n" +
	"metadata:\nname: platform\n" + kb.Backspace + kb.Backspace + "spec:\n"

// empty clears an editor as a person would.
func (p *page) empty(editor string) {
	p.t.Helper()
	p.do(chromedp.Click(editor), chromedp.KeyEvent("a", chromedp.KeyModifiers(kb.ModifierCtrl)), chromedp.KeyEvent(kb.Delete))
	p.wait("the editor is empty", `document.querySelector('`+editor+`').value === ''`)
}

// choose selects an option of a select element.
func (p *page) choose(id, value string) {
	p.t.Helper()
	_ = get[bool](p, `(() => {
		const select = document.getElementById('`+id+`');
		select.value = '`+value+`';
		select.dispatchEvent(new Event('change'));
		return select.value === '`+value+`';
	})()`)
}

func (p *page) claim() string {
	return get[string](p, `document.querySelector('`+claimEditor+`').value`)
}

// manifest returns the text of the manifest on display, without its line numbers.
func (p *page) manifest() string {
	return get[string](p, `[...document.querySelectorAll('#yaml .line')].map((line) => line.textContent).join('\n')`)
}

func (p *page) tabs() []string {
	return get[[]string](p, `[...document.querySelectorAll('#tabs button')].map((tab) => tab.title)`)
}

func TestTypeAClaimAndSeeTheStatefulSet(t *testing.T) {
	b := start(t)
	p := b.open(t, "")
	p.empty(claimEditor)
	p.wait("nothing is shown", `document.querySelectorAll('#tabs button').length === 0`)

	// The editor indents automatically, such as below `metadata:`.
	p.do(chromedp.SendKeys(claimEditor, "apiVersion: database.bizmatters.io/v1alpha1\n"+
		"kind: DragonflyInstance\nmetadata:\nname: typed\nnamespace: by-hand\n"+kb.Backspace+kb.Backspace+
		"spec:\nsize: medium\nstorageGB: 20"))
	p.wait("the StatefulSet is there", `document.querySelector('#tabs button')?.title === 'statefulset_typed.yaml'
		&& document.getElementById('yaml').textContent.includes('storage: 20Gi')`)
	assert.Equal(t, `apiVersion: database.bizmatters.io/v1alpha1
kind: DragonflyInstance
metadata:
  name: typed
  namespace: by-hand
spec:
  size: medium
  storageGB: 20`, p.claim())
	shown := p.manifest()
	assert.Contains(t, shown, "kind: StatefulSet\n")
	assert.Contains(t, shown, "  name: typed\n  namespace: by-hand\n")
	assert.Contains(t, shown, "memory: 4Gi", "the limit of medium")
	assert.Subset(t, p.tabs(), []string{"service_typed.yaml", "secret_typed-password.yaml", "secret_typed-conn.yaml"})

	p.do(chromedp.Focus(`#tabs [aria-selected="true"]`), chromedp.KeyEvent(kb.ArrowRight))
	p.wait("the arrow key shows the next one", `document.querySelector('#tabs [aria-selected="true"]') === document.activeElement
		&& document.activeElement.title !== 'statefulset_typed.yaml'`)
	assert.Equal(t, get[string](p, `document.activeElement.title`), get[string](p, `document.getElementById('file').textContent`))
}

func TestMakeAMistakeAndSeeTheMessage(t *testing.T) {
	p := start(t).open(t, "")
	line := slices.Index(strings.Split(p.claim(), "\n"), "  size: small") + 1
	require.Positive(t, line)
	_ = get[bool](p, `(() => {
		const area = document.querySelector('`+claimEditor+`');
		const at = area.value.indexOf('size:') + 2;
		area.focus();
		area.setSelectionRange(at, at + 1);
		return true;
	})()`)
	p.do(chromedp.KeyEvent("s"))
	p.wait("the message is there", `document.querySelector('#claim .messages li.error') !== null`)
	assert.Contains(t, p.claim(), "  sise: small\n")
	message := get[string](p, `document.querySelector('#claim .messages li.error').textContent`)
	assert.Contains(t, message, "spec.sise")
	assert.Contains(t, message, `did you mean "size"?`)
	assert.Equal(t, []int{line}, get[[]int](p, `[...document.querySelectorAll('#claim .line')].flatMap((line, i) => line.classList.contains('error') ? [i + 1] : [])`),
		"the line of the field is marked, and no other")
	assert.Equal(t, "true", get[string](p, `document.querySelector('`+claimEditor+`').getAttribute('aria-invalid')`))
	assert.True(t, get[bool](p, `document.getElementById('download-all').disabled`), "the output from before the mistake cannot be downloaded")

	p.do(chromedp.Click("#claim .messages li.error button"))
	assert.Equal(t, "  sise: small", get[string](p, `(() => {
		const area = document.activeElement;
		return area.value.slice(area.selectionStart, area.selectionEnd);
	})()`), "a click on the message leads to its line")

	p.empty(configurationEditor)
	p.do(chromedp.SendKeys(configurationEditor, typedConfiguration+"replica: 2"))
	p.wait("a mistake in the configuration is shown there",
		`document.querySelector('#configuration .messages li.error')?.textContent.includes('spec.replica') ?? false`)
}

func TestSizesAreThoseOfTheProgram(t *testing.T) {
	p := start(t).open(t, "")
	assert.Equal(t, []string{"", "micro", "small", "medium", "large"}, get[[]string](p, `[...document.getElementById('size').options].map((option) => option.value)`))
	p.choose("size", "large")
	p.wait("the claim has the size", `document.querySelector('`+claimEditor+`').value.includes('  size: large\n')`)
	p.wait("the manifest follows the claim", `document.getElementById('yaml').textContent.includes('memory: 8Gi')`)
}

func TestProfilesAreThoseOfTheConfiguration(t *testing.T) {
	p := start(t).open(t, "")
	p.empty(configurationEditor)
	p.do(chromedp.SendKeys(configurationEditor, typedConfiguration+"profiles:\ncache: {}\ndurable: {}"))
	p.wait("the profiles are selectable", `document.getElementById('profile').options.length === 3`)
	assert.Equal(t, []string{"", "cache", "durable"}, get[[]string](p, `[...document.getElementById('profile').options].map((option) => option.value)`))
	before := p.claim()
	p.choose("profile", "durable")
	assert.Contains(t, p.claim(), "    database.bizmatters.io/profile: durable\n")
	p.choose("profile", "")
	assert.Equal(t, before, p.claim())
}

func TestExamples(t *testing.T) {
	p := start(t).open(t, "")
	ids := get[[]string](p, `[...document.getElementById('example').options].map((option) => option.value).filter((id) => id)`)
	require.GreaterOrEqual(t, len(ids), 4)
	for _, id := range ids {
		p.choose("example", id)
		p.wait(id+" is rendered", `document.querySelector('#status').matches('.good, .warning, .error')`)
		assert.Equal(t, "status good", get[string](p, `document.getElementById('status').className`), "%s: %s", id, get[string](p, `document.body.innerText`))
		assert.NotEmpty(t, p.tabs(), id)
		assert.Equal(t, id, get[string](p, `document.getElementById('example').value`))
	}
}

func TestALinkHoldsTheInput(t *testing.T) {
	b := start(t)
	p := b.open(t, "")
	p.choose("example", "operator")
	p.do(chromedp.SendKeys(claimEditor, kb.End+" # für später"))
	p.wait("the example is no longer selected", `document.getElementById('example').value === ''`)
	p.do(chromedp.Click("#link"))
	p.wait("the link is in the address", `location.hash.startsWith('#input=')`)
	claim, configuration := p.claim(), get[string](p, `document.querySelector('`+configurationEditor+`').value`)
	require.Contains(t, claim, "# für später")

	other := b.open(t, get[string](p, `location.hash`))
	assert.Equal(t, claim, other.claim())
	assert.Equal(t, configuration, get[string](other, `document.querySelector('`+configurationEditor+`').value`))
	assert.Equal(t, "dragonfly_orders.yaml", other.tabs()[0])

	other.do(chromedp.SendKeys(claimEditor, "# more\n"))
	other.wait("after an edit, the address no longer has the link", `location.hash === ''`)
	changed := other.claim()
	other.wait("the generator has seen it", `sessionStorage.getItem('dragonfly-generator-input').includes('# more')`)
	other.do(chromedp.Reload())
	other.wait("the generator has started again", `document.querySelector('#status').matches('.good, .warning, .error')`)
	assert.Equal(t, changed, other.claim(), "and is there after a reload")

	damaged := b.open(t, "#input=AAAA")
	damaged.wait("a damaged link is reported", `document.getElementById('toast').textContent.includes('damaged')`)

	b.mu.Lock()
	defer b.mu.Unlock()
	for _, uri := range b.asked {
		assert.NotContains(t, uri, "?")
		assert.NotContains(t, uri, "input", "the server never sees the input")
	}
}

// TestThePolicyHolds checks that requests to other servers fail.
func TestThePolicyHolds(t *testing.T) {
	b := start(t)
	elsewhere := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere++
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}))
	defer server.Close()
	p := b.open(t, "")
	refused := get[bool](p, `fetch('`+server.URL+`').then(() => false, () => true)`)
	assert.True(t, refused)
	assert.Zero(t, elsewhere)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.NotEmpty(t, p.complaints)
	assert.Contains(t, strings.Join(p.complaints, "\n"), "Content Security Policy")
	p.complaints = nil // the requests that the test makes
}

func TestLayouts(t *testing.T) {
	p := start(t).open(t, "")
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 390, 768, 1440} {
			p.do(chromedp.EmulateViewport(width, 900), prefers(scheme))
			assert.LessOrEqual(t, get[int64](p, `document.documentElement.scrollWidth`), width, "at a width of %d pixels, nothing must be cut off", width)
			background := get[string](p, `getComputedStyle(document.body).backgroundColor`)
			p.do(chromedp.Click("#theme"))
			assert.NotEqual(t, background, get[string](p, `getComputedStyle(document.body).backgroundColor`), "the other theme must look different")
			p.do(chromedp.Click("#theme"))
			assert.Equal(t, background, get[string](p, `getComputedStyle(document.body).backgroundColor`))
			_ = get[bool](p, `delete document.documentElement.dataset.theme`) // back to the system's theme

			// The typed text lies exactly over the visible text.
			assert.True(t, get[bool](p, `(() => {
				const area = document.querySelector('`+claimEditor+`'), pre = document.querySelector('#claim pre');
				const a = area.getBoundingClientRect(), b = pre.getBoundingClientRect();
				const gutter = parseFloat(getComputedStyle(pre.firstChild, '::before').width);
				const same = (name) => getComputedStyle(area)[name] === getComputedStyle(pre)[name];
				return Math.abs(a.left - b.left) < 0.5 && Math.abs(a.top - b.top) < 0.5 &&
					Math.abs(parseFloat(getComputedStyle(area).paddingLeft) - gutter) < 0.5 &&
					['fontFamily', 'fontSize', 'lineHeight', 'paddingTop', 'tabSize', 'letterSpacing'].every(same);
			})()`), "%s, %d pixels", scheme, width)
		}
	}
}

func prefers(scheme string) step {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	}
}

func TestSize(t *testing.T) {
	total := 0
	require.NoError(t, filepath.WalkDir(folder(t), func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(content, []byte{0x1f, 0x8b}) { // it is compressed already
			var packed bytes.Buffer
			w := gzip.NewWriter(&packed)
			if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
				return err
			}
			if err := w.Close(); err != nil {
				return err
			}
			content = packed.Bytes()
		}
		total += len(content)
		return nil
	}))
	t.Logf("the page is %d bytes, compressed", total)
	assert.LessOrEqual(t, total, limit, "the build compresses it with zopfli if that is installed")
}
