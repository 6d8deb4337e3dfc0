"use strict";
// A page within a report of one file has no folder: links to other files lead nowhere from there.
if (/^(data|about|blob):$/.test(location.protocol)) {
  document.body.classList.add("is-alone");
  document.querySelector(".alone").hidden = false;
}

