// What the page can do beyond being read. Without it all is there to be read.
(function () {
  "use strict";
  function opened(target) {
    for (var at = target; at; at = at.parentElement) { if (at.tagName === "DETAILS") { at.open = true; } }
  }
  function follow() {
    var id = location.hash.slice(1);
    var target = id && document.getElementById(id);
    if (!target) { return; }
    opened(target);
    target.scrollIntoView({ block: "start" });
  }
  window.addEventListener("hashchange", follow);
  follow();

  document.querySelectorAll("button[data-copy]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      var said = button.textContent;
      function done(word) { button.textContent = word; setTimeout(function () { button.textContent = said; }, 2000); }
      function byHand() {
        var range = document.createRange();
        range.selectNodeContents(document.getElementById(button.dataset.copy));
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        done(document.execCommand("copy") ? "Copied" : "Marked: copy it");
      }
      if (navigator.clipboard) {
        navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent)
          .then(function () { done("Copied"); }, byHand);
      } else { byHand(); }
    });
  });

  var filters = document.querySelector(".filters");
  if (!filters) { return; }
  filters.hidden = false;
  var verdict = filters.querySelector("[name=verdict]");
  var family = filters.querySelector("[name=family]");
  var words = filters.querySelector("[name=words]");
  var told = document.getElementById("filtered");
  function filter() {
    var wanted = words.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    var shown = 0;
    var all = document.querySelectorAll("[data-verdicts]");
    all.forEach(function (each) {
      var text = each.textContent.toLowerCase();
      var fits = (!verdict.value || each.dataset.verdicts.split(" ").indexOf(verdict.value) >= 0) &&
        (!family.value || each.dataset.families.split(" ").indexOf(family.value) >= 0) &&
        wanted.every(function (word) { return text.indexOf(word) >= 0; });
      each.hidden = !fits;
      shown += fits;
    });
    var some = verdict.value || family.value || wanted.length;
    told.textContent = some ? shown + " of " + all.length + " rows and findings are shown" : "";
  }
  [verdict, family].forEach(function (field) { field.addEventListener("change", filter); });
  words.addEventListener("input", filter);
  filters.addEventListener("reset", function () { setTimeout(filter); });
  filters.addEventListener("submit", function (event) { event.preventDefault(); });
})();
