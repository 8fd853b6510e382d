from trivium.platform.report.yaml_markup import highlight


def test_keys_values_and_comments_are_told_apart_and_all_text_is_escaped() -> None:
    text = "# a <note>\nmodel: {name: cnn}\nlist:\n  - name: <b>\n  - 3\nuri: http://x/y\n"
    assert str(highlight(text)).split("\n") == [
        '<span class="m"># a &lt;note&gt;</span>',
        '<span class="k">model</span>:<span class="v"> {name: cnn}</span>',
        '<span class="k">list</span>:',
        '  - <span class="k">name</span>:<span class="v"> &lt;b&gt;</span>',
        '  - <span class="v">3</span>',
        '<span class="k">uri</span>:<span class="v"> http://x/y</span>',
    ]
