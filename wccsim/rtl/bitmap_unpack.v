// bitmap_unpack: 32-bit words of the index memory back to kept flags in flat order, with ranks.
//
// Specification: docs/datapath.md, sections 4 and 7: the reader's half of the index memory. For every flat
// position it says whether it is kept and its rank, the number of kept positions before it: where a kept
// word stands in the compact stream that the memory holds.
// Widths: 32-bit words; rank RW bits, enough for N.
// Timing: one position a cycle with `step`; `word` must hold the word of the current position,
// `next_word` asks for the next one from the following cycle on. `restart` before the first position.
module bitmap_unpack #(
    parameter RW = 9
) (
    input  wire          clk,
    input  wire          restart,
    input  wire          step,
    input  wire [31:0]   word,
    output wire          flag,
    output wire [RW-1:0] rank,
    output wire          next_word
);
    reg [4:0]    place;
    reg [RW-1:0] preceding;
    localparam [RW-1:0] ONE = 1;
    assign flag = word[place];
    assign rank = preceding;
    assign next_word = step && place == 5'd31;
    always @(posedge clk) begin
        if (restart) begin
            place <= 5'd0;
            preceding <= {RW{1'b0}};
        end else if (step) begin
            place <= place + 5'd1;
            if (flag) preceding <= preceding + ONE;
        end
    end
endmodule
