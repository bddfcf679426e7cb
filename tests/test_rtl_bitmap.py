"""The index memory's writer and reader: packed and unpacked flags come back, with their ranks."""

import random
from pathlib import Path

import pytest
from test_rtl_cosim import need_tools

from wccsim.rtl.process import RTL, run_tool

BENCH = """
module bench;
    localparam N = COUNT;
    reg clk = 0, restart = 1, valid = 0, reading = 0;
    reg flags [0:N-1];
    reg [31:0] memory [0:(N+31)/32-1];
    reg [31:0] packed_count = 0, at = 0;
    integer i = 0;
    wire write, flag, next_word;
    wire [31:0] word;
    wire [9:0] rank;
    bitmap_pack pack (.clk(clk), .restart(restart), .valid(valid), .flag(flags[i]), .last(i == N-1),
        .write(write), .word(word));
    bitmap_unpack #(.RW(10)) unpack (.clk(clk), .restart(restart || !reading), .step(reading),
        .word(memory[at]), .flag(flag), .rank(rank), .next_word(next_word));
    always #1 clk = ~clk;
    initial $readmemb("flags.txt", flags);
    always @(posedge clk) begin
        restart <= 0;
        if (restart) valid <= 1;
        if (valid) begin
            if (write) begin memory[packed_count] <= word; packed_count <= packed_count + 1; end
            i <= i + 1;
            if (i == N-1) begin valid <= 0; i <= 0; end
        end
        if (!restart && !valid && !reading) reading <= 1;
        if (reading) begin
            $display("%b %0d", flag, rank);
            if (next_word) at <= at + 1;
            i <= i + 1;
            if (i == N-1) $finish;
        end
    end
endmodule
"""


@pytest.mark.rtl
@pytest.mark.parametrize(
    ("count", "share"), [(1, 1.0), (16, 0.3), (32, 0.5), (33, 0.5), (64, 0.0), (100, 1.0), (448, 0.25)]
)
def test_flags_come_back_with_their_ranks(count: int, share: float, tmp_path: Path) -> None:
    need_tools("iverilog", "vvp")
    rng = random.Random(count)
    flags = [int(rng.random() < share) for _ in range(count)]
    (tmp_path / "flags.txt").write_text("".join(f"{flag}\n" for flag in flags))
    bench = BENCH.replace("COUNT", str(count))
    (tmp_path / "bench.v").write_text(bench)
    sources = [RTL / "bitmap_pack.v", RTL / "bitmap_unpack.v", "bench.v"]
    run_tool(["iverilog", "-g2005", "-s", "bench", "-o", "bench.vvp", *sources], tmp_path)
    lines = run_tool(["vvp", "-n", "bench.vvp"], tmp_path, timeout=60).split("\n")
    got = [tuple(map(int, line.split())) for line in lines if line.strip() and "$finish" not in line]
    assert got == [(flag, sum(flags[:i])) for i, flag in enumerate(flags)]
