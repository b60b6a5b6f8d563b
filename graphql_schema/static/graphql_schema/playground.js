// GraphiQL on the address of its page, with the examples as its tabs. Who is signed in sends the CSRF token.
{
  const place = document.getElementById("graphiql");
  // What its dialogs take for their style element.
  window.__webpack_nonce__ = place.dataset.nonce;
  const fetcher = GraphiQL.createFetcher({
    url: location.pathname,
    headers: { "X-CSRFToken": place.dataset.csrfToken },
  });
  ReactDOM.createRoot(place).render(
    React.createElement(GraphiQL, { fetcher, defaultTabs: EXAMPLES.map((query) => ({ query })) }),
  );
}
