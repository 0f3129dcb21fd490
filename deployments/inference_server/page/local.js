// Not a module, because browsers load no modules from files: it says what to do about that.
if (location.protocol === "file:") {
  document.addEventListener("DOMContentLoaded", () => {
    const message = document.getElementById("message");
    message.textContent =
      "Browsers run this page only from a web server, such as: python -m http.server --bind 127.0.0.1 8000";
    message.hidden = false;
    document.getElementById("model-name").textContent = "not loaded";
  });
}
