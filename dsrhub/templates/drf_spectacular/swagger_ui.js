"use strict";

// The document names the contract's server. Requests from this page go to the page's own server instead.
const requestInterceptor = (request) => {
  const { pathname, search } = new URL(request.url, document.baseURI);
  request.url = new URL(pathname + search, document.baseURI).href;
  if (!["GET", undefined].includes(request.method)) {
    request.headers["{{ csrf_header_name }}"] = "{{ csrf_token }}";
  }
  return request;
};

SwaggerUIBundle({
  url: "{{ schema_url|escapejs }}",
  dom_id: "#swagger-ui",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  requestInterceptor,
  ...{{ settings|safe }},
});
