// A choice in a filter takes effect at once; without this there is the button beside it.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form.filter");
  if (form && event.target.matches("select")) form.requestSubmit();
});
