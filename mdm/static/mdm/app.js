/* Enhancement only: every page reads and decides without this file.
 * No inline handlers, no eval, no style writes: safe under a strict CSP.
 * Everything listens on the document, so what htmx swaps in needs no new set-up. */
(() => {
  'use strict';
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];

  /* — theme and rail: kept per browser; the cookie lets the server draw the first byte right — */
  const keep = (key, value) => {
    root.dataset[key] = value;
    try { localStorage.setItem(key, value); } catch { /* private mode */ }
    document.cookie = `mdm_${key}=${value}; path=/; max-age=31536000; samesite=lax`;
  };
  for (const key of ['theme', 'rail']) {
    let kept = null;
    try { kept = localStorage.getItem(key); } catch { /* private mode */ }
    if (kept && !root.dataset[key]) keep(key, kept);
  }
  const toggles = {
    theme() {
      const dark = root.dataset.theme
        ? root.dataset.theme === 'dark'
        : matchMedia('(prefers-color-scheme: dark)').matches;
      keep('theme', dark ? 'light' : 'dark');
    },
    rail() {
      const narrow = matchMedia('(width <= 68rem)').matches;
      const icons = root.dataset.rail ? root.dataset.rail === 'icons' : narrow;
      keep('rail', icons ? 'wide' : 'icons');
    },
  };

  /* — small makers — */
  function make(tag, attributes = {}, text = '') {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    return node;
  }
  function drawing(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('class', 'icon');
    svg.setAttribute('aria-hidden', 'true');
    const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
    use.setAttribute('href', `${document.body.dataset.sprite}#i-${name}`);
    svg.append(use);
    return svg;
  }

  /* — toasts: confirm what was done, with its undo; one with an undo stays longer — */
  function retire(node) {
    setTimeout(() => (node.matches(':hover, :focus-within') ? retire(node) : node.remove()), $('form', node) ? 10000 : 5000);
  }
  function toast(text, undo = '', tone = '') {
    const box = $('.toasts');
    if (!box || !text) return;
    const node = make('div', { class: 'toast', 'data-toast': '', ...(tone && { 'data-tone': tone }) });
    node.append(drawing(tone === 'red' ? 'alert' : 'ok'), make('span', { class: 'toast-text' }, text));
    if (undo) {
      const form = make('form', { class: 'inline-form', method: 'post', action: undo });
      const token = JSON.parse(document.body.getAttribute('hx-headers') || '{}')['X-CSRFToken'] || '';
      form.append(
        make('input', { type: 'hidden', name: 'csrfmiddlewaretoken', value: token }),
        make('button', { class: 'btn btn--s', 'data-key': 'z' }, 'Undo'),
      );
      node.append(form);
    }
    box.append(node);
    retire(node);
  }

  /* — dialogs: popovers without script, modal with it — */
  function openDialog(id) {
    const dialog = document.getElementById(id);
    if (!dialog || dialog.open) return;
    for (const menu of $$('details.menu[open]')) menu.open = false;
    dialog.showModal();
    if (id === 'palette') {
      const input = $('#palette-q');
      input.select();
      if (window.htmx) window.htmx.trigger(input, 'palette');
    }
  }

  document.addEventListener('click', (event) => {
    const at = (selector) => event.target.closest?.(selector);
    const toggle = at('[data-toggle]');
    if (toggle) toggles[toggle.dataset.toggle]?.();
    const opener = at('[data-dialog]');
    if (opener && !event.metaKey && !event.ctrlKey && document.getElementById(opener.dataset.dialog)) {
      event.preventDefault();
      openDialog(opener.dataset.dialog);
    }
    const closer = at('[data-close]');
    if (closer) { event.preventDefault(); closer.closest('dialog')?.close(); }
    const copier = at('[data-copy]');
    if (copier && navigator.clipboard) {
      navigator.clipboard.writeText(copier.dataset.copy).then(() => toast(`Copied ${copier.dataset.copy}`));
    }
    /* a menu closes when the reader looks elsewhere */
    for (const menu of $$('details.menu[open]')) if (!menu.contains(event.target)) menu.open = false;
    /* a click on the backdrop closes a dialog */
    if (event.target instanceof HTMLDialogElement && event.target.open) event.target.close();
  });

  /* — rows that the keyboard walks through: tables, worklists — */
  const rows = () => $$('[data-rows] [data-row]');
  const cursor = () => rows().find((row) => row.classList.contains('is-cursor'));
  function move(step) {
    const all = rows();
    if (!all.length) return;
    const now = all.indexOf(cursor());
    const next = all[Math.max(0, Math.min(all.length - 1, now + step))];
    all[now]?.classList.remove('is-cursor');
    next.classList.add('is-cursor');
    next.scrollIntoView({ block: 'nearest' });
    (next.matches('a, [tabindex]') ? next : $('a', next))?.focus({ preventScroll: true });
  }
  const keys = {
    j: () => move(1),
    k: () => move(-1),
    x: () => { const row = cursor(); if (row) $('input[type="checkbox"]', row)?.click(); },
    Enter: () => { const row = cursor(); (row?.matches('a') ? row : row && $('a', row))?.click(); },
    '/': () => $('[data-filter]')?.focus(),
    '?': () => openDialog('help'),
    c: () => $('[data-comment]')?.focus(),
    ArrowDown: () => $('[data-arrows]') && move(1),
    ArrowUp: () => $('[data-arrows]') && move(-1),
  };

  /* — trees: right opens or goes in, left closes or goes out, Enter looks at a node; a row is dragged onto a group — */
  const level = (row) => Number(row.getAttribute('aria-level'));
  function walkTree(event) {
    const row = event.target.closest?.('[data-tree] tr[data-row]');
    if (!row || event.target !== row) return false;
    const all = $$('tr[data-row]', row.closest('table'));
    const at = all.indexOf(row);
    const open = row.getAttribute('aria-expanded');
    const go = (next) => { if (next) { row.tabIndex = -1; next.tabIndex = 0; next.focus(); } };
    const acts = {
      ArrowDown: () => go(all[at + 1]),
      ArrowUp: () => go(all[at - 1]),
      Home: () => go(all[0]),
      End: () => go(all.at(-1)),
      ArrowRight: () => (open === 'false' ? $('.tree-toggle', row).click() : open === 'true' && go(all[at + 1])),
      ArrowLeft: () => (open === 'true' ? $('.tree-toggle', row).click() : go(all.slice(0, at).findLast((one) => level(one) < level(row)))),
      Enter: () => $('.tree-link', row).click(),
    };
    acts[event.key]?.();
    return event.key in acts;
  }
  let dragged = '';
  const dropGroup = (event) => dragged && event.target.closest?.('[data-tree] tr[data-group]:not(.is-leaving)');
  document.addEventListener('dragstart', (event) => { dragged = event.target.closest?.('[data-tree] tr[data-row]')?.dataset.node || ''; });
  document.addEventListener('dragover', (event) => {
    const group = dropGroup(event);
    for (const row of $$('[data-drop]')) if (row !== group) delete row.dataset.drop;
    if (group && group.dataset.node !== dragged) { group.dataset.drop = ''; event.preventDefault(); }
  });
  document.addEventListener('dragend', () => { for (const row of $$('[data-drop]')) delete row.dataset.drop; });
  document.addEventListener('drop', (event) => {
    const group = dropGroup(event);
    if (!group || group.dataset.node === dragged) return;
    event.preventDefault();
    const to = new URL(location.href);
    to.searchParams.set('node', dragged);
    to.searchParams.set('to', group.dataset.node);
    to.hash = 'change';
    location.assign(to);
  });

  /* in the palette the arrows walk from the field through the hits and back */
  function walkPalette(event) {
    const stops = [$('#palette-q'), ...$$('#palette-list a')];
    const now = Math.max(0, stops.indexOf(document.activeElement));
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) stops[(now + step + stops.length) % stops.length].focus();
    else if (event.key === 'Enter' && now === 0 && stops[1]) stops[1].click();
    else return;
    event.preventDefault();
  }

  document.addEventListener('keydown', (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      openDialog('palette');
      return;
    }
    if ($('#palette')?.open) { walkPalette(event); return; }
    if (event.key === 'Escape') {
      const menu = $('details.menu[open]');
      if (menu) { menu.open = false; $('summary', menu).focus(); }
      if (location.hash === '#rail') location.hash = 'main';
      return;
    }
    /* never steal a letter from someone who types, or Enter from a control */
    if (event.metaKey || event.ctrlKey || event.altKey || $('dialog:modal')) return;
    if (event.target.closest('input:not([type="checkbox"]), select, textarea, [contenteditable]')) return;
    if (event.key === 'Enter' && event.target.closest('a, button, summary')) return;
    if (walkTree(event)) { event.preventDefault(); return; }
    const button = $$(`[data-key="${CSS.escape(event.key)}"]`)
      .findLast((one) => !one.disabled && one.closest('.bulk')?.checkVisibility() !== false); // of a bar only while it is shown
    if (event.key.startsWith('Arrow') && !$('[data-arrows]')) return;
    const act = (button && (() => button.click())) || keys[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  /* a menu that a key opened is walked with the keyboard: its first item has the focus */
  document.addEventListener('toggle', (event) => {
    const menu = event.target;
    if (menu.matches?.('details.menu[data-first]') && menu.open) $('.menu-item', menu)?.focus();
  }, true);

  /* — selection: select all, and the count in the bulk bar — */
  function count(table) {
    const boxes = $$('tbody .table-check', table);
    const chosen = boxes.filter((box) => box.checked).length;
    const all = $('[data-all]', table);
    if (all) { all.checked = chosen > 0 && chosen === boxes.length; all.indeterminate = chosen > 0 && chosen < boxes.length; }
    const number = $('.bulk [data-count]'); // a page may have several tables with one bar
    if (number) number.textContent = $$('tbody .table-check:checked').length || '';
  }
  document.addEventListener('change', (event) => {
    const box = event.target;
    if (box.matches?.('.table-check') && box.closest('table')) {
      const table = box.closest('table');
      if (box.matches('[data-all]')) for (const other of $$('tbody .table-check', table)) other.checked = box.checked;
      count(table);
    }
    if (box.matches?.('[data-autosubmit]')) box.form?.requestSubmit();
    if (box.matches?.('.drop input[type="file"]')) {
      const name = $('[data-file]', box.closest('.drop'));
      if (name) name.textContent = [...box.files].map((file) => file.name).join(', ');
    }
  });
  document.addEventListener('reset', () => setTimeout(() => $$('table:has(.table-check)').forEach(count)));

  /* — as-of slider: days since 1970 in, a date in the field beside it out — */
  document.addEventListener('input', (event) => {
    const slider = event.target;
    if (!slider.matches?.('[data-asof]')) return;
    const day = new Date(Number(slider.value) * 86400000).toISOString().slice(0, 10);
    const field = document.getElementById(slider.dataset.asof);
    field.value = day;
    slider.setAttribute('aria-valuetext', day);
  });
  document.addEventListener('change', (event) => {
    if (event.target.matches?.('[data-asof]')) document.getElementById(event.target.dataset.asof).form.requestSubmit();
  });

  /* — unsaved changes: the browser asks before the page is left — */
  let dirty = false;
  document.addEventListener('input', (event) => { if (event.target.closest?.('form[data-guard]')) dirty = true; });
  document.addEventListener('submit', (event) => {
    dirty = false;
    /* a slow answer must not be asked for twice */
    const button = event.submitter;
    if (button?.form && button.form.method === 'post' && !event.defaultPrevented) setTimeout(() => button.setAttribute('aria-busy', 'true'));
  });
  addEventListener('beforeunload', (event) => { if (dirty) event.preventDefault(); });
  addEventListener('pageshow', () => { for (const busy of $$('.btn[aria-busy]')) busy.removeAttribute('aria-busy'); });

  /* — htmx — */
  const say = (words) => {
    const box = $('#live-error');
    if (!box) return;
    box.hidden = !words;
    if (words) $('[data-words]', box).textContent = words;
  };
  document.addEventListener('toast', (event) => toast(event.detail.text ?? event.detail.value, event.detail.undo, event.detail.tone));
  document.addEventListener('htmx:beforeRequest', (event) => {
    /* nobody looks at a hidden page, and a dialog or menu that is open must not be drawn anew: polling waits */
    const quiet = document.hidden || $('dialog:modal, details.menu[open]');
    if (quiet && !event.detail.requestConfig.triggeringEvent) event.preventDefault();
  });
  /* what is drawn anew keeps the reader's place: the same control has the focus, the same row the cursor, and what was
     folded open lies open */
  const name = (node) => `${node.tagName} ${node.getAttribute('href') ?? node.name ?? ''} ${node.textContent.trim()}`;
  const twins = (from, called) => $$('a[href], button, summary, input, select, textarea', from).filter((node) => name(node) === called);
  const folds = (from) => $$('details:not(.menu)', from);
  let place = null;
  document.addEventListener('htmx:beforeSwap', (event) => {
    const from = event.detail.target;
    place = null;
    if (!from.id || event.detail.elt !== from) return;
    const held = from.contains(document.activeElement) && document.activeElement;
    place = {
      id: from.id,
      name: held && name(held),
      at: held ? twins(from, name(held)).indexOf(held) : -1,
      row: held ? rows().indexOf(held.closest('.is-cursor')) : -1,
      open: folds(from).map((fold) => fold.open),
    };
  });
  document.addEventListener('htmx:afterSettle', () => {
    const box = place && document.getElementById(place.id);
    if (!box) return;
    const drawn = folds(box);
    if (drawn.length === place.open.length) drawn.forEach((fold, number) => { fold.open = place.open[number]; });
    if (place.at >= 0 && document.activeElement === document.body) twins(box, place.name)[place.at]?.focus({ preventScroll: true });
    if (place.row >= 0) rows()[place.row]?.classList.add('is-cursor');
    place = null;
  });
  document.addEventListener('htmx:afterRequest', (event) => { if (event.detail.successful) say(''); });
  document.addEventListener('htmx:sendError', () => say('What you see may be out of date. Nothing you typed is lost; try again in a moment.'));
  document.addEventListener('htmx:responseError', (event) => {
    const { status, responseURL } = event.detail.xhr;
    if (status === 401 || status === 403) say('Your session ended or your role changed. Reload the page to sign in again; what you typed is still here.');
    else say(`The answer was ${status} for ${new URL(responseURL || location.href).pathname}. Nothing was changed; reload the page to see how things stand.`);
  });
  document.addEventListener('htmx:afterSwap', (event) => {
    if (event.detail.target.id !== 'detail') return;
    /* the list keeps showing which row is open beside it */
    for (const row of rows()) {
      const open = row.href === location.href || row.getAttribute('href') === event.detail.pathInfo.requestPath;
      row.classList.toggle('is-cursor', open);
      if (open) row.setAttribute('aria-current', 'true'); else row.removeAttribute('aria-current');
    }
  });

  /* — at the start, and for what htmx brings — */
  function ready(from) {
    for (const node of $$('[data-toast]', from)) retire(node);
    for (const table of $$('table:has([data-all])', from)) count(table);
    for (const node of $$('[data-enhance]', from)) node.hidden = false;
    for (const node of $$('[data-scroll-end]', from)) node.scrollLeft = node.scrollWidth;
    if (/mac|iphone|ipad/i.test(navigator.platform)) for (const node of $$('[data-shortcut]', from)) node.textContent = '⌘K';
    $('[data-focus]', from)?.focus();
  }
  ready(document);
  document.addEventListener('htmx:load', (event) => { if (event.detail.elt !== document.body) ready(event.detail.elt); });
})();
