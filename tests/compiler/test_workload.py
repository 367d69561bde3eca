"""Layer tables: bundled, written and read back, and wrong."""

import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillflow.compiler.workload import NETWORKS_CSV, WORKLOADS, WorkloadLayer, load_workload
from stillflow.hw.layer import ConvShape, PoolShape

COLUMNS = "layer,type,N,G,C,M,H,W,R,S,stride,pad,dilation"


@pytest.fixture
def table(tmp_path):
    """Write a table and return its path."""

    def write(*lines, header=COLUMNS):
        path = tmp_path / "table.csv"
        path.write_text("\n".join([header, *lines]) + "\n")
        return path

    return write


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_bundled_network_is_every_row_of_its_table(name):
    with NETWORKS_CSV.open() as file:
        rows = [r for r in csv.DictReader(file) if r["net"].lower().replace("-", "") == name]
    workload = load_workload(name)
    assert workload.name == name
    assert [entry.name for entry in workload.entries] == [row["layer"] for row in rows]
    for row, entry in zip(rows, workload.entries, strict=True):
        assert isinstance(entry.shape, ConvShape)
        assert (int(row["E"]), int(row["F"])) == (entry.shape.E, entry.shape.F)
        assert entry.shape.macs == int(row["macs"])


def test_every_row_of_the_table_belongs_to_a_bundled_network():
    rows = NETWORKS_CSV.read_text().splitlines()[1:]
    assert sum(len(load_workload(name).entries) for name in WORKLOADS) == len(rows)


@pytest.mark.parametrize("name", ["VGG-16", "vgg16", "Vgg16"])
def test_case_and_hyphens_do_not_matter(name):
    assert load_workload(name).name == "vgg16"
    assert load_workload(NETWORKS_CSV, net=name).entries == load_workload("vgg16").entries


def test_a_chosen_network_names_the_workload():
    assert load_workload(NETWORKS_CSV, net="AlexNet").name == "networks:AlexNet"
    assert load_workload("alexnet", net="AlexNet").name == "alexnet"


def test_layers_keep_the_order_of_the_table():
    entries = load_workload("alexnet", layers=["FC6", "CONV2"]).entries
    assert entries == (
        WorkloadLayer(
            name="CONV2",
            type="conv",
            shape=ConvShape(G=2, C=96, M=256, H=27, W=27, R=5, S=5, pad=(2, 2, 2, 2)),
        ),
        WorkloadLayer(name="FC6", type="fc", shape=ConvShape(C=9216, M=4096)),
    )


def test_batch_replaces_n():
    assert [entry.shape.N for entry in load_workload("lenet5", batch=7).entries] == [7] * 5


sizes = st.integers(1, 6)
pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
pads = st.tuples(*[st.integers(0, 3)] * 4)


@st.composite
def layers(draw):
    kind = draw(st.sampled_from(["conv", "fc", "maxpool", "avgpool"]))
    R, S, stride, pad = draw(sizes), draw(sizes), draw(pairs), draw(pads)
    if kind.endswith("pool"):
        H, W = R + draw(st.integers(0, 9)), S + draw(st.integers(0, 9))
        shape = PoolShape(N=draw(sizes), C=draw(sizes), H=H, W=W, R=R, S=S, stride=stride, pad=pad)
    else:
        dilation = draw(pairs)
        G = draw(sizes)
        shape = ConvShape(
            N=draw(sizes), G=G, C=G * draw(sizes), M=G * draw(sizes),
            H=(R - 1) * dilation[0] + draw(sizes), W=(S - 1) * dilation[1] + draw(sizes),
            R=R, S=S, stride=stride, pad=pad, dilation=dilation,
        )  # fmt: skip
    return kind, shape


def by(values, mark):
    return mark.join(map(str, values))


@given(drawn=st.lists(layers(), min_size=1, max_size=5), batch=st.none() | st.integers(1, 9))
def test_a_written_table_reads_back(tmp_path_factory, drawn, batch):
    path = tmp_path_factory.mktemp("tables") / "mine.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS.split(","), "E", "F", "note", "macs"])
        for index, (kind, shape) in enumerate(drawn):
            conv = isinstance(shape, ConvShape)
            writer.writerow(
                [f"layer {index}, {kind}", kind, shape.N, shape.G if conv else 1, shape.C,
                 shape.M if conv else shape.C, shape.H, shape.W, shape.R, shape.S,
                 by(shape.stride, "x"), by(shape.pad, "/"),
                 by(shape.dilation, "x") if conv else 1, shape.E, shape.F, "x",
                 shape.macs if conv else 0]
            )  # fmt: skip
    workload = load_workload(path)
    assert workload.name == "mine"
    assert [(entry.type, entry.shape) for entry in workload.entries] == drawn
    again = load_workload(str(path), batch=batch, layers=[workload.entries[0].name])
    expected = batch or drawn[0][1].N
    assert expected == again.entries[0].shape.N


def test_columns_may_be_left_out(table):
    path = table("c,conv,8,4,14,3", "f,fc,8,4,,", "g,fc,8,4,5,", header="layer,type,C,M,H,R")
    assert [entry.shape for entry in load_workload(path).entries] == [
        ConvShape(C=8, M=4, H=14, W=14, R=3, S=3),
        ConvShape(C=8, M=4),
        ConvShape(C=8, M=4, H=5, W=5, R=5, S=5),
    ]


def test_pooling_needs_no_filters(table):
    path = table("p,maxpool,8,14,3,2,1/0/1/0", header="layer,type,C,H,R,stride,pad")
    (entry,) = load_workload(path).entries
    assert entry.shape == PoolShape(C=8, H=14, W=14, R=3, S=3, stride=(2, 2), pad=(1, 0, 1, 0))


def test_spaces_empty_lines_and_a_byte_order_mark_are_ignored(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("\ufefflayer, type ,C,M\r\n\r\n a , FC , 3 , 2 \r\n,,,\r\n", encoding="utf-8")
    (entry,) = load_workload(path).entries
    assert (entry.name, entry.type, entry.shape) == ("a", "fc", ConvShape(C=3, M=2))


GOOD = {
    "layer": "a", "type": "conv", "N": "1", "G": "2", "C": "4", "M": "6", "H": "8", "W": "9",
    "R": "3", "S": "2", "stride": "1", "pad": "0", "dilation": "1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer": ""}, "layer must be given, not ''"),
        ({"type": "add"}, "type must be one of conv, fc, maxpool, avgpool, not 'add'"),
        ({"C": "x"}, "C must be a whole number of at least 1, not 'x'"),
        ({"C": ""}, "C must be a whole number of at least 1, not ''"),
        ({"M": "0"}, "M must be a whole number of at least 1, not '0'"),
        ({"H": "-3"}, "H must be a whole number of at least 1, not '-3'"),
        ({"N": "1.5"}, "N must be a whole number of at least 1, not '1.5'"),
        ({"R": "1" * 30}, f"R must be a whole number of at least 1, not '{'1' * 30}'"),
        ({"stride": "0"}, "stride must be a number or two like 2x1, each at least 1, not '0'"),
        ({"stride": "1x2x3"},
         "stride must be a number or two like 2x1, each at least 1, not '1x2x3'"),
        ({"dilation": "2/2"},
         "dilation must be a number or two like 2x1, each at least 1, not '2/2'"),
        ({"pad": "1/2"},
         "pad must be a number or four like 1/1/2/0 (top/left/bottom/right), not '1/2'"),
        ({"pad": "1/2/3/"},
         "pad must be a number or four like 1/1/2/0 (top/left/bottom/right), not '1/2/3/'"),
        ({"G": "3"}, "layer 'a': C must be a multiple of G (3), not 4"),
        ({"R": "9"}, "layer 'a': the 9x2 filter must fit the padded 8x9 ifmap"),
        ({"type": "maxpool"}, "M must be C (4) in pooling, not '6'"),
        ({"type": "avgpool", "M": "4", "dilation": "2"}, "dilation must be 1 in pooling, not '2'"),
        ({"type": "avgpool", "M": "4", "S": "10"},
         "layer 'a': the 3x10 window must fit the padded 8x9 ifmap"),
        ({"E": "7"}, "E must be 6 as the shape says, not '7'"),
        ({"F": "x"}, "F must be a whole number, not 'x'"),
        ({"macs": "1"}, "macs must be 3456 as the shape says, not '1'"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_named(table, change, message):
    cells = GOOD | change
    path = table(",".join(cells.values()), header=",".join(cells))
    with pytest.raises(ValueError, match=rf"^{re.escape(f'{path}:2: {message}')}$"):
        load_workload(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": there must be at least one layer"),
        ("layer,type,C\n", ": there must be at least one layer"),
        ("layer,type\n", ":1: there must be a column C, not only ['layer', 'type']"),
        ("layer,type,C,C\n", ":1: column C must stand once, not twice"),
        ("layer,type,C,M\na,fc,1,1\nb,fc,1\n", ":3: there must be 4 cells, not 3"),
        ("layer,type,C,M\na,fc,1,1\n\na,fc,2,2\n", ":4: layer must differ from line 2's, not 'a'"),
        ('layer,type,C,M\n"a,fc\n', ":2: must be CSV: unexpected end of data"),
        (
            "net,layer,type,C,M\nA,a,fc,1,1\nB,b,fc,1,1\n",
            ": net must be chosen among A, B",
        ),
    ],
)
def test_a_wrong_table_is_named(tmp_path, text, message):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"^{re.escape(f'{path}{message}')}$"):
        load_workload(path)


def test_an_unknown_network_in_a_file_is_named(table):
    path = table("A,a,fc,1,1", header="net,layer,type,C,M")
    with pytest.raises(ValueError, match=r"^[^\n]*table\.csv: net must be among A, not 'B'$"):
        load_workload(path, net="B")


def test_a_network_chosen_without_a_column_is_named(table):
    with pytest.raises(
        ValueError,
        match=r"^[^\n]*: net must be left out \(there is no such column\), not 'B'$",
    ):
        load_workload(table(",".join(GOOD.values())), net="B")


def test_another_network_than_the_bundled_one_is_named():
    with pytest.raises(ValueError, match=r"^net must be lenet5 or left out, not 'AlexNet'$"):
        load_workload("lenet5", net="AlexNet")


def test_an_unknown_layer_is_named():
    with pytest.raises(
        ValueError, match=r"^layers of lenet5 must be among C1, C3, C5, F6, OUT, not 'C2'$"
    ):
        load_workload("lenet5", layers=["C1", "C2"])


def test_no_layer_is_refused():
    with pytest.raises(ValueError, match=r"^[^\n]*: there must be at least one layer$"):
        load_workload("lenet5", layers=[])


def test_a_batch_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"^batch must be at least 1, not 0$"):
        load_workload("lenet5", batch=0)


def test_an_unknown_workload_is_named():
    with pytest.raises(
        ValueError,
        match=r"^workload must be a CSV file or one of lenet5, alexnet, overfeat, vgg16, "
        r"googlenet, resnet18, resnet50, mobilenetv1, mobilenetv2, not 'lenet'$",
    ):
        load_workload("lenet")


def test_a_directory_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"^[^\n]*: cannot be read: Is a directory$"):
        load_workload(tmp_path)


def test_a_binary_file_is_named(tmp_path):
    path = tmp_path / "binary.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"^[^\n]*binary\.csv: cannot be read: is no UTF-8 text$"):
        load_workload(path)
