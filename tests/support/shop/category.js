/* Ten cards more, a moment after the end of the page came into sight, until all are there. */
var shown = document.querySelectorAll('.product').length, coming = false;

function add(p) {
    var old = document.querySelector('.product'), card = old.cloneNode(true), since = card.querySelector('time');
    card.dataset.sku = p.sku;
    card.querySelector('a').setAttribute('href', 'product?sku=' + p.sku);
    card.querySelector('img').setAttribute('src', 'img/' + p.colour + '.svg');
    card.querySelector('h3').textContent = p.name;
    card.querySelector('.price').textContent = money(p.price);
    card.querySelector('.colour').textContent = p.colour;
    since.setAttribute('datetime', p.since);
    since.textContent = p.since;
    if (!p.isNew && card.querySelector('.new'))
        card.querySelector('.new').remove();
    document.getElementById('cards').appendChild(card);
}

function more() {
    coming = false;
    PRODUCTS.slice(shown, shown + 10).forEach(add);
    shown = document.querySelectorAll('.product').length;
    if (shown === PRODUCTS.length)
        document.getElementById('more').textContent = 'That is all';
}

addEventListener('scroll', function () {
    var end = document.documentElement.scrollHeight - innerHeight - scrollY < 300;
    if (!end || coming || shown >= PRODUCTS.length)
        return;
    coming = true;
    setTimeout(more, 200);
});
