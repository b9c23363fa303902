// Only in sites that `vlmbench view` serves: loads the page anew when the site has been built again.
"use strict";
{
  let known = 0;
  vlmWaiting.version = (value) => {
    if (known && value !== known) location.reload();
    known = value;
  };
  const look = () => {
    const script = document.createElement("script");
    script.src = `${document.body.dataset.root ?? ""}static/version.js?${Date.now()}`;
    script.addEventListener("load", () => script.remove());
    script.addEventListener("error", () => script.remove());
    document.head.append(script);
  };
  look();
  setInterval(look, 3000);
}
