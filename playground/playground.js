// The page around the generator: two editors and the generator's output. No framework, no build step.
import { examples } from './examples.js';

const $ = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// ---- YAML in color -------------------------------------------------------------------------------------------

const key = /^(\s*(?:- +)*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#:{}[\],"'&*!|>%@`-][^#:]*(?::\S[^#:]*)*)(:)(?=\s|$)/;
const parts = /(?<=^|\s)(#.*)$|("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?)|([{}[\],])|([^\s{}[\],"'#:]+(?=:\s))|([^\s{}[\],"']+)|(\s+)|(.)/g;
const literal = /^(?:-?\d[\d.]*|true|false|null|~)$/;

// color returns the line as spans. It looks only at that line, so the contents of a block scalar are colored as if
// they were YAML, which does no harm.
function color(line) {
  const spans = [];
  const add = (kind, text) => text && spans.push(kind ? element('span', { className: kind }, text) : text);
  if (/^(?:---|\.\.\.)\s*$/.test(line)) {
    add('comment', line);
    return spans;
  }
  let rest = line;
  const found = key.exec(line);
  if (found) {
    add('', found[1]);
    add('key', found[2]);
    add('mark', found[3]);
    rest = line.slice(found[0].length);
  }
  for (const [, comment, string, mark, name, word, space, other] of rest.matchAll(parts)) {
    add('comment', comment);
    add('string', string);
    add('mark', mark);
    add('key', name);
    add(word === '-' ? 'mark' : literal.test(word) ? 'literal' : '', word);
    add(other === ':' ? 'mark' : '', space ?? other);
  }
  return spans;
}

// show writes the text into the element, as numbered lines; marks maps a line to the kind of message there.
function show(pre, text, marks = new Map()) {
  const lines = text.split('\n');
  const plain = lines.length > 5000;
  pre.style.setProperty('--digits', String(lines.length).length);
  pre.replaceChildren(...lines.map((line, i) =>
    element('div', { className: `line ${marks.get(i + 1) ?? ''}` }, ...(plain ? [line] : color(line)))));
}

// ---- Editors --------------------------------------------------------------------------------------------------

class Editor {
  constructor(id, changed) {
    this.file = id === 'claim' ? 'claim.yaml' : 'dragonfly-generator.yaml';
    this.area = $(id).querySelector('textarea');
    this.pre = $(id).querySelector('pre');
    this.list = $(id).querySelector('.messages');
    this.marks = new Map();
    this.area.addEventListener('input', () => {
      this.marks = new Map(); // lines move while the user types
      this.paint();
      changed();
    });
    this.area.addEventListener('beforeinput', (event) => this.indent(event));
  }

  get text() { return this.area.value; }

  set text(value) {
    this.area.value = value;
    this.marks = new Map();
    this.paint();
  }

  // line is the caret's line, from 1.
  get line() { return this.text.slice(0, this.area.selectionStart).split('\n').length; }

  paint() { show(this.pre, this.text, this.marks); }

  // indent starts a new line with the indentation of the previous one. Tab is left alone: it moves to the next control.
  indent(event) {
    if (event.inputType !== 'insertLineBreak') return;
    const before = this.text.slice(0, this.area.selectionStart);
    const [, spaces, opens] = /([ ]*)[^\n]*?(:\s*)?$/.exec(before.slice(before.lastIndexOf('\n') + 1));
    if (!spaces && !opens) return;
    // Deprecated, but the only way that keeps undo.
    if (document.execCommand('insertText', false, `\n${spaces}${opens ? '  ' : ''}`)) event.preventDefault();
  }

  goTo(line) {
    const start = this.text.split('\n').slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
    const end = this.text.indexOf('\n', start);
    this.area.focus();
    this.area.setSelectionRange(start, end < 0 ? this.text.length : end);
    this.pre.children[line - 1]?.scrollIntoView({ block: 'nearest' });
  }

  showMessages(messages) {
    this.marks = new Map();
    const rank = ['info', 'warning', 'error'];
    for (const { line, severity } of messages) {
      if (line && rank.indexOf(severity) > Math.max(0, rank.indexOf(this.marks.get(line)))) this.marks.set(line, severity);
    }
    this.paint();
    this.area.setAttribute('aria-invalid', messages.some(({ severity }) => severity === 'error'));
    this.list.replaceChildren(...messages.map((message) => {
      const text = [
        element('span', { className: 'severity' }, message.severity),
        element('span', { className: 'text' },
          ...(message.field ? [element('code', {}, message.field), ' '] : []), message.text),
      ];
      if (!message.line || message.severity === 'info') return element('li', { className: message.severity }, element('div', {}, ...text));
      const button = element('button', { type: 'button', title: 'Go to the line' }, ...text,
        element('span', { className: 'at' }, `line ${message.line}`));
      button.addEventListener('click', () => this.goTo(message.line));
      return element('li', { className: message.severity }, button);
    }));
  }
}

const claim = new Editor('claim', edited);
const configuration = new Editor('configuration', edited);

// ---- The generator --------------------------------------------------------------------------------------------

let shown = { manifests: [], messages: [], claims: [], profiles: [] };
const sizes = { names: [], of: undefined }; // the configuration's sizes
let stale = false; // the manifests belong to an earlier input
let chosen = 0;
let timer;

// start loads the generator. Its file is already compressed, because not every server does that.
async function start() {
  const response = await fetch('generator.wasm.gz');
  if (!response.ok) throw new Error(`the server answers ${response.status} for the generator`);
  const module = new Response(response.body.pipeThrough(new DecompressionStream('gzip')), { headers: { 'Content-Type': 'application/wasm' } });
  const go = new globalThis.Go();
  const { instance } = await WebAssembly.instantiateStreaming(module, go.importObject);
  go.run(instance).finally(() => {
    delete globalThis.dragonfly;
    status('The generator stopped; reload the page', 'error');
  });
}

function edited() {
  if (location.hash) history.replaceState(null, '', location.pathname + location.search); // it contains another input
  $('example').value = '';
  later();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(render, 120);
}

function render() {
  clearTimeout(timer);
  remember();
  if (!globalThis.dragonfly) return;
  const next = JSON.parse(globalThis.dragonfly.preview(claim.text, configuration.text));
  if (sizes.of !== configuration.text) {
    const names = JSON.parse(globalThis.dragonfly.sizes(configuration.text));
    if (names.length > 0) sizes.names = names; // an error in the configuration hides them
    sizes.of = configuration.text;
  }
  const errors = next.messages.filter(({ severity }) => severity === 'error').length;
  const warnings = next.messages.filter(({ severity }) => severity === 'warning').length;
  stale = errors > 0 && shown.manifests.length > 0;
  if (stale) next.manifests = shown.manifests;
  shown = next;

  claim.showMessages(next.messages.filter(({ file }) => file !== configuration.file));
  configuration.showMessages(next.messages.filter(({ file }) => file === configuration.file));
  const count = (n, what) => `${n} ${what}${n === 1 ? '' : 's'}`;
  if (errors) status(count(errors, 'error'), 'error');
  else if (warnings) status(`${count(next.manifests.length, 'object')}, ${count(warnings, 'warning')}`, 'warning');
  else status(count(next.manifests.length, 'object'), 'good');
  showPickers();
  showManifests();
}

function status(text, kind = '') {
  $('status').textContent = text;
  $('status').className = `status ${kind}`;
}

// ---- Pickers --------------------------------------------------------------------------------------------------

// claimAtCaret is the claim that the pickers change.
function claimAtCaret() {
  const line = claim.line;
  return shown.claims.findLast((c) => c.line <= line) ?? shown.claims[0];
}

function showPickers() {
  const at = claimAtCaret();
  fill($('size'), at?.size ?? '', [['', 'default'], ...sizes.names.map((name) => [name, name])]);
  $('size').disabled = !at || sizes.names.length === 0;
  fill($('profile'), at?.profile ?? '', [['', 'none'], ...shown.profiles.map((name) => [name, name])]);
  $('profile').disabled = !at;
  $('profile-picker').hidden = shown.profiles.length === 0;
}

function fill(select, value, options) {
  if (value && !options.some(([known]) => known === value)) options.push([value, `${value} (unknown)`]);
  select.replaceChildren(...options.map(([known, label]) => element('option', { value: known }, label)));
  select.value = value;
}

function pick(select, change) {
  select.addEventListener('change', () => {
    const at = claimAtCaret();
    if (!at || !globalThis.dragonfly) return;
    const caret = claim.area.selectionStart;
    claim.text = globalThis.dragonfly[change](claim.text, at.line, select.value);
    claim.area.setSelectionRange(caret, caret);
    edited();
    render();
  });
}

pick($('size'), 'withSize');
pick($('profile'), 'withProfile');
claim.area.addEventListener('keyup', showPickers);
claim.area.addEventListener('click', showPickers);

$('example').append(element('option', { value: '', disabled: true, hidden: true }, 'none: edited'),
  ...examples.map(({ id, title }) => element('option', { value: id }, title)));
$('example').addEventListener('change', () => {
  const { id } = take(examples.find((example) => example.id === $('example').value));
  edited();
  $('example').value = id;
  render();
});

// ---- Manifests ------------------------------------------------------------------------------------------------

function showManifests() {
  const { manifests } = shown;
  const before = $('file').textContent;
  const same = manifests.findIndex(({ file }) => file === before);
  chosen = same < 0 ? 0 : same;
  $('tabs').replaceChildren(...manifests.map((manifest, i) => {
    const tab = element('button', { type: 'button', role: 'tab', id: `tab-${i}`, 'aria-controls': 'panel', title: manifest.file },
      element('span', { className: 'kind' }, manifest.kind || 'no kind'), element('span', { className: 'name' }, manifest.name));
    tab.addEventListener('click', () => choose(i));
    return tab;
  }));
  $('manifests').classList.toggle('stale', stale);
  $('panel').hidden = manifests.length === 0;
  $('empty').hidden = manifests.length > 0 || !globalThis.dragonfly;
  for (const id of ['download-all', 'download', 'copy']) $(id).disabled = stale || manifests.length === 0;
  if (manifests.length > 0) choose(chosen);
  else {
    $('file').textContent = '';
    $('notice').hidden = true;
  }
}

function choose(i, focus = false) {
  chosen = i;
  [...$('tabs').children].forEach((tab, n) => {
    tab.setAttribute('aria-selected', n === i);
    tab.tabIndex = n === i ? 0 : -1;
    if (n === i && focus) tab.focus();
  });
  const manifest = shown.manifests[i];
  $('panel').setAttribute('aria-labelledby', `tab-${i}`);
  $('file').textContent = manifest.file;
  show($('yaml'), manifest.yaml.replace(/\n$/, ''));
  $('notice').hidden = !stale;
}

$('tabs').addEventListener('keydown', (event) => {
  const last = shown.manifests.length - 1;
  const next = { ArrowRight: chosen === last ? 0 : chosen + 1, ArrowLeft: chosen === 0 ? last : chosen - 1, Home: 0, End: last }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  choose(next, true);
});

function save(file, text) {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/yaml' }));
  element('a', { href: url, download: file }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

const all = () => shown.manifests.map(({ yaml }) => yaml).join('---\n');

$('download').addEventListener('click', () => save(shown.manifests[chosen].file, shown.manifests[chosen].yaml));
$('download-all').addEventListener('click', () => save('manifests.yaml', all()));
$('copy').addEventListener('click', () => copy(shown.manifests[chosen].yaml, 'Copied the manifest'));

async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    toast('The browser does not let the page copy; select the text instead');
  }
}

let toastTimer;
function toast(text) {
  clearTimeout(toastTimer);
  $('toast').textContent = text;
  $('toast').classList.add('visible');
  toastTimer = setTimeout(() => $('toast').classList.remove('visible'), 2500);
}

// ---- The input, in a link and across reloads -------------------------------------------------------------------

function take(input) {
  claim.text = input.claim;
  configuration.text = input.configuration;
  claim.area.setSelectionRange(0, 0);
  return input;
}

// The link contains the input in its fragment, which browsers do not send to the server.
async function toLink() {
  const json = JSON.stringify({ claim: claim.text, configuration: configuration.text });
  const packed = new Blob([json]).stream().pipeThrough(new CompressionStream('deflate-raw'));
  const bytes = new Uint8Array(await new Response(packed).arrayBuffer());
  const text = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
  return `#input=${text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`;
}

async function fromLink() {
  const [, text] = /^#input=([\w-]+)$/.exec(location.hash) ?? [];
  if (!text) return undefined;
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const json = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    const input = await new Response(json).json();
    return { claim: String(input.claim), configuration: String(input.configuration) };
  } catch {
    toast('The link is damaged, so the input in it is lost');
    return undefined;
  }
}

$('link').addEventListener('click', async () => {
  history.replaceState(null, '', await toLink());
  await copy(location.href, 'Copied a link that contains the input');
});

window.addEventListener('hashchange', async () => {
  const input = await fromLink();
  if (!input) return;
  take(input);
  $('example').value = '';
  render();
});

const stored = 'dragonfly-generator-input';

function remember() {
  try {
    sessionStorage.setItem(stored, JSON.stringify({ claim: claim.text, configuration: configuration.text }));
  } catch { /* a browser without storage forgets at a reload */ }
}

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(stored));
  } catch {
    return null;
  }
}

// ---- Light and dark -------------------------------------------------------------------------------------------

const darkSystem = matchMedia('(prefers-color-scheme: dark)');
const themeKey = 'dragonfly-generator-theme';

function isDark() {
  const theme = document.documentElement.dataset.theme;
  return theme ? theme === 'dark' : darkSystem.matches;
}

function showTheme() { $('theme').setAttribute('aria-label', isDark() ? 'Use the light theme' : 'Use the dark theme'); }

try {
  const theme = localStorage.getItem(themeKey);
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
} catch { /* as the system has it */ }
showTheme();
darkSystem.addEventListener('change', showTheme);
$('theme').addEventListener('click', () => {
  document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
  showTheme();
  try {
    localStorage.setItem(themeKey, document.documentElement.dataset.theme);
  } catch { /* until the page is left */ }
});

// ---- Go -------------------------------------------------------------------------------------------------------

const input = await fromLink() ?? remembered();
take(input ?? examples[0]);
$('example').value = examples.find((e) => e.claim === claim.text && e.configuration === configuration.text)?.id ?? '';
try {
  await start();
  render();
} catch (error) {
  status(`The generator cannot start: ${error.message}`, 'error');
}
