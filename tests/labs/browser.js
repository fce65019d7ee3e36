// Runs inside one page that holds every page to be looked at in a frame of its own: steps each with the keyboard, and
// tells what is wrong with what the browser made of it. `pages`, `width` and `scheme` are given by test_browser.sh.
'use strict';
var told = document.getElementById('told');

function tell(text) { told.textContent += text + '\n'; }

function key(frame, name, shift) {
  var w = frame.contentWindow, on = w.document.activeElement || w.document.body;
  on.dispatchEvent(new w.KeyboardEvent('keydown', {key: name, shiftKey: !!shift, bubbles: true, cancelable: true}));
}

function step(frame) { return +frame.contentDocument.documentElement.getAttribute('data-step'); }

function luminance(colour) {
  var c = colour.match(/[\d.]+/g).slice(0, 3).map(function (v) {
    v /= 255;
    return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
  });
  return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
}

function contrast(a, b) {
  var x = luminance(a), y = luminance(b);
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

// Words of a picture that stand on each other, or leave it.
function overlaps(svg) {
  var bad = [], words = Array.prototype.slice.call(svg.querySelectorAll('text')), whole = svg.getBoundingClientRect();
  var boxes = words.map(function (t) { return t.getBoundingClientRect(); });
  if (whole.width === 0) return bad;
  boxes.forEach(function (a, i) {
    if (a.left < whole.left - 2 || a.right > whole.right + 2 || a.top < whole.top - 2 || a.bottom > whole.bottom + 2)
      bad.push('"' + words[i].textContent + '" leaves its picture');
    for (var j = i + 1; j < boxes.length; j++) {
      var b = boxes[j];
      if (svg.querySelector('.seen') && /^\d+$/.test(words[i].textContent + words[j].textContent)) continue;
      if (a.left < b.right - 2 && b.left < a.right - 2 && a.top < b.bottom - 4 && b.top < a.bottom - 4)
        bad.push('"' + words[i].textContent + '" stands on "' + words[j].textContent + '"');
    }
  });
  return bad;
}

// What a person who does not see the page, or sees little, would miss.
function labels(doc, fail) {
  var root = doc.defaultView.getComputedStyle(doc.body), level = 0;
  var ground = root.backgroundColor;
  if (!doc.documentElement.lang) fail('no language');
  if (doc.querySelectorAll('h1').length !== 1) fail('not one h1');
  doc.querySelectorAll('h1,h2,h3').forEach(function (h) {
    var n = +h.tagName[1];
    if (n > level + 1) fail('heading "' + h.textContent + '" skips a level');
    level = n;
  });
  doc.querySelectorAll('svg').forEach(function (s) {
    if (s.getAttribute('role') !== 'img' || !s.getAttribute('aria-label')) fail('a picture without words');
  });
  doc.querySelectorAll('input,button,progress,[tabindex="0"]').forEach(function (c) {
    var named = c.getAttribute('aria-label') || c.textContent.trim() || (c.labels && c.labels.length);
    if (!named) fail('a ' + c.tagName + ' without a name');
  });
  doc.querySelectorAll('p,h3,mark,.e,td,th,svg text').forEach(function (t) {
    var style = doc.defaultView.getComputedStyle(t);
    var colour = t.tagName === 'text' ? style.fill : style.color;
    var behind = t.tagName === 'MARK' ? style.backgroundColor : ground;
    if (contrast(colour, behind) < 4.5) fail('"' + t.textContent.slice(0, 30) + '" is hard to read: ' + colour);
  });
}

function wide(doc, fail, where) {
  var root = doc.documentElement;
  if (root.scrollWidth > root.clientWidth + 1)
    fail(where + ' is ' + root.scrollWidth + ' px wide in a window of ' + root.clientWidth);
}

function walk(frame, fail) {
  var doc = frame.contentDocument, n = doc.querySelectorAll('main section').length, i;
  var find = doc.getElementById('find'), word;
  function at(want, by) { if (step(frame) !== want) fail(by + ' leads to step ' + step(frame) + ', not ' + want); }

  at(1, 'opening');
  for (i = 2; i <= n; i++) {
    key(frame, i % 2 ? 'ArrowRight' : ' ');
    at(i, 'a step on');
    doc.querySelectorAll('section:not([hidden]) svg').forEach(function (s) {
      overlaps(s).forEach(function (bad) { fail('step ' + i + ': ' + bad); });
    });
    wide(doc, fail, 'step ' + i);
    if (doc.querySelectorAll('section:not([hidden])').length !== 1) fail('step ' + i + ': not one step is shown');
    if (doc.querySelector('#list a[aria-current]').getAttribute('href') !== '#h' + i) fail('the list is not at ' + i);
  }
  key(frame, 'ArrowRight'); at(n, 'past the end');
  key(frame, 'Home'); at(1, 'Home');
  key(frame, 'ArrowLeft'); at(1, 'before the beginning');
  key(frame, 'End'); at(n, 'End');
  key(frame, ' ', true); at(n - 1, 'shift and space');
  key(frame, '/');
  if (doc.activeElement !== find) fail('/ does not lead to the search');
  word = doc.querySelectorAll('section')[1].querySelector('h2').textContent.slice(3);
  find.value = word;
  key(frame, 'Enter');
  if (doc.querySelector('section:not([hidden])').textContent.toLowerCase().indexOf(word.toLowerCase()) < 0)
    fail('the search did not find ' + word);
  if (doc.activeElement.tagName !== 'H2') fail('the search leaves the focus behind');
  key(frame, 'End'); at(n, 'End');
  if (!/Step \d+ of/.test(doc.getElementById('live').textContent)) fail('nothing is said aloud');
  return n;
}

// The status page: a chart whose words stand apart, and numbers that open and tell where they came from.
function unfold(doc, fail) {
  var numbers = doc.querySelectorAll('details');
  if (doc.querySelectorAll('figure svg').length !== 1) fail('no recall chart');
  if (numbers.length < 3) fail('fewer than three numbers can be opened');
  numbers.forEach(function (d) {
    d.querySelector('summary').click();
    if (!d.open || !/row store/.test(d.querySelector('pre').textContent)) fail('a number does not open to its lineage');
  });
  doc.querySelectorAll('svg').forEach(function (s) { overlaps(s).forEach(fail); });
}

function look(frame, name) {
  var bad = 0, n = 0, doc = frame.contentDocument;
  function fail(text) { bad++; tell('FAIL: ' + name + ': ' + text); }
  try {
    doc.querySelectorAll('section').forEach(function (s) { s.hidden = false; });
    labels(doc, fail);
    doc.querySelectorAll('section').forEach(function (s, i) { s.hidden = i > 0; });
    if (doc.getElementById('bar')) n = walk(frame, fail);
    if (name === 'status.html') unfold(doc, fail);
    wide(doc, fail, 'the page');
  } catch (e) { fail(e); }
  tell((bad ? 'bad ' : 'good ') + name + ' ' + n + ' steps');
}

function next(i) {
  if (i === pages.length) return tell('looked at ' + i);
  var frame = document.createElement('iframe');
  frame.width = width; frame.height = 900; frame.title = pages[i];
  frame.onload = function () { look(frame, pages[i]); next(i + 1); };
  frame.src = pages[i];
  document.getElementById('frames').appendChild(frame);
}
if (!matchMedia('(prefers-color-scheme: ' + scheme + ')').matches) tell('FAIL: the browser is not ' + scheme);
next(0);
